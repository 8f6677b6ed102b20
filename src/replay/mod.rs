//! `wsd replay`: feeds a program the input of a recording and compares its output.

mod checker;
mod differing;
mod masked;
mod player;
mod script;
mod shown;

use std::{
    collections::BTreeSet,
    env,
    ffi::OsStr,
    fmt::Display,
    io::{Write as _, stderr, stdout},
    process::ExitCode,
    time::Duration,
};

use tokio::runtime::Builder;
use tracing_subscriber::filter::LevelFilter;

use crate::{
    admission::Admission,
    budget::Budget,
    cli::{replay::ReplayLine, replay::SpeedWord},
    limits::record::REPLAY_WAIT,
    log::{self, LogFormat, LogOptions, LogTarget},
    metrics::route::RouteName,
    peer::Connection,
    shutdown::Signals,
    worker::{
        environ::unique_id,
        process::{Process, ProcessOptions},
        program::{Program, locate},
        spawn::spawn_aside,
        stdio::Stdio,
        variable::Variable,
    },
};
use differing::Difference;
use masked::Masks;
use player::{PlaySpeed, Player};
use script::Recording;

/// The exit status after a difference.
const DIFFERENT: u8 = 1;
/// The exit status when there is nothing to compare.
const NOTHING: u8 = 2;

/// Runs a replay to its end. Returns the exit status.
pub(crate) fn run(line: &ReplayLine) -> ExitCode {
    #[cfg(target_os = "linux")]
    crate::sys::keep_statuses();
    let file = line.file.display();
    let recording = match Recording::read(&line.file) {
        Ok(recording) => recording,
        Err(why) => {
            let why = shown::escaped(&why);
            return fail(&format!("cannot replay `{file}`: {why}"), "name a file of wsd --record");
        }
    };
    let Some(path) = line.command.first().and_then(|name| locate(name)) else {
        let name = line.command.first().map_or(OsStr::new(""), |name| name).display();
        return fail(&format!("cannot find COMMAND `{name}`"), "name an executable file, as in ./program");
    };
    let mut program = Program::new(path, line.command[1..].to_vec());
    program.stdio = if recording.is_unbuffered { Stdio::Unbuffered } else { Stdio::Pipes };
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(cause) => return fail(&format!("cannot start the event loop: {cause}"), "lower the load of the machine"),
    };
    // It shows the standard error of the program, as the server does.
    let _log = log::start(&LogOptions { level: LevelFilter::INFO, format: LogFormat::Text, target: LogTarget::Error });
    let status = runtime.block_on(replay(line, &recording, program));
    runtime.shutdown_background();
    status
}

/// Starts the program, plays the recording, and tells the result. Returns the exit status.
async fn replay(line: &ReplayLine, recording: &Recording, program: Program) -> ExitCode {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(cause) => return fail(&format!("cannot listen to signals: {cause}"), "lower the load of the machine"),
    };
    let timeout = line.flags.timeout.as_deref().map_or(REPLAY_WAIT, |secs| secs.0);
    let process = match start(recording, &program, timeout).await {
        Ok(process) => process,
        Err(cause) => {
            let shown = program.path.display();
            return fail(&format!("cannot start `{shown}`: {cause}"), "check that it can be run by itself");
        }
    };
    let speed = match line.flags.speed.as_deref() {
        Some(SpeedWord::Recorded) => PlaySpeed::Recorded,
        Some(SpeedWord::Full) | None => PlaySpeed::Full,
    };
    let ignored = line.flags.ignore.as_deref().map_or_else(BTreeSet::new, |names| {
        names.0.iter().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
    });
    let player = Player::new(recording, process, Masks::new(ignored), speed, timeout);
    tokio::select! {
        // Dropping the player kills the program.
        difference = player.play() => tell(line, recording, difference.as_ref()),
        signal = signals.next() => ExitCode::from(128 + signal),
    }
}

/// Starts the program as the server does, except for its environment, which is that of this process.
async fn start(recording: &Recording, program: &Program, timeout: Duration) -> Result<Process, String> {
    let inherited = env::vars_os().filter(|(name, _)| name != "UNIQUE_ID");
    let variable = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some(Variable::new(name.to_str()?, value.as_encoded_bytes()))
    };
    let mut environment: Vec<_> = inherited.filter_map(variable).collect();
    environment.push(Variable::new("UNIQUE_ID", unique_id().as_bytes()));
    let permit = Admission::new(None).admit().ok_or("no program may run")?;
    let started = spawn_aside(program, &None, environment, permit).await;
    let (worker, permit) = started.map_err(|cause| cause.to_string())?;
    // A program that ended at the end of its input may take its time; one that wsd stopped is stopped again.
    let patience = if recording.end.is_some_and(|end| end.is_stop()) { Duration::ZERO } else { timeout };
    let options = ProcessOptions {
        message_bytes_max: recording.message_bytes_max,
        patience,
        is_readonly: false,
        budget: Budget::new(None),
        route: RouteName::default(),
    };
    Ok(Process::new(Connection::none(), worker, permit, recording.framing, &options))
}

/// Prints the result. Returns the exit status.
fn tell(line: &ReplayLine, recording: &Recording, difference: Option<&Difference>) -> ExitCode {
    let (text, status) = match difference {
        Some(difference) => (shown::difference(&line.file, recording, difference), ExitCode::from(DIFFERENT)),
        None => (shown::sameness(recording), ExitCode::SUCCESS),
    };
    // Nobody may be reading.
    let _ = stdout().write_all(text.as_bytes());
    status
}

fn fail(message: &dyn Display, hint: &str) -> ExitCode {
    let _ = stderr().write_all(format!("wsd: {message}\nhint: {hint}\n").as_bytes());
    ExitCode::from(NOTHING)
}
