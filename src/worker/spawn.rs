//! Starts programs, each in a process group of its own.

#[cfg(target_os = "linux")]
use std::{
    ffi::{CString, OsStr},
    os::unix::ffi::OsStrExt,
};
use std::{io, os::fd::OwnedFd, path::Path, sync::Arc};

use rustix::process::Pid;
use tokio::sync::{Semaphore, oneshot};

#[cfg(target_os = "linux")]
use super::descriptors::limit_before;
use super::{
    Worker,
    child::Child,
    confinement::Confinement,
    failure::LaunchError,
    program::Program,
    records::WorkerRecord,
    silence::Silence,
    starter::{self, STARTS_MAX},
    streams::{self, Ends, Streams},
    unique_id::UniqueId,
    variable::Variable,
};
use crate::sys;

/// The turns of tasks that start a program on a thread of its own.
static STARTS: Semaphore = Semaphore::const_new(STARTS_MAX);

/// The bounds of a program; `None` is none beside those of wsd.
pub(crate) type Confining = Option<Arc<Confinement>>;

/// A program that has started, before the event loop watches its streams.
struct Started {
    child: Child,
    ends: Ends,
    silence: Option<Silence>,
}

impl Started {
    /// Has the event loop watch the streams. Needs a tokio runtime.
    fn watch(self) -> Result<Worker, LaunchError> {
        let Self { child, ends, silence } = self;
        let Streams { input, output, stderr } = ends.watch()?;
        Ok(Worker { child, input, output, stderr, silence, tape: None })
    }
}

/// Starts `program` in a process group of its own, with the variables in `environment` and no others.
///
/// Blocks for the 0.1 to 0.3 ms of starting a process.
pub(crate) fn spawn(
    program: &Program,
    confining: &Confining,
    environment: Vec<Variable>,
) -> Result<Worker, LaunchError> {
    let (tell, told) = std::sync::mpsc::channel();
    submit(program, confining, environment, move |started| drop(tell.send(started)))?;
    told.recv().unwrap_or_else(|_| Err(interrupted()))?.watch()
}

/// Starts `program` as [`spawn`] does. Other tasks go on meanwhile; it costs two switches between threads.
///
/// Holds `permit` until the worker has started, even if the caller drops this future. Returns it with the worker.
pub(crate) async fn spawn_aside<P: Send + 'static>(
    program: &Program,
    confining: &Confining,
    environment: Vec<Variable>,
    permit: P,
) -> Result<(Worker, P), LaunchError> {
    let turn = STARTS.acquire().await;
    let (tell, told) = oneshot::channel();
    submit(program, confining, environment, move |started| {
        let _turn = turn;
        // Nobody hears it if the caller has gone: then this kills the worker.
        drop(tell.send(started.map(|started| (started, permit))));
    })?;
    let (started, permit) = told.await.unwrap_or_else(|_| Err(interrupted()))?;
    Ok((started.watch()?, permit))
}

/// Starts `program` on a thread of the starter, and hands the result to `then` on that thread.
fn submit(
    program: &Program,
    confining: &Confining,
    environment: Vec<Variable>,
    then: impl FnOnce(Result<Started, LaunchError>) + Send + 'static,
) -> Result<(), LaunchError> {
    let (program, confining) = (program.clone(), confining.clone());
    Ok(starter::run(move || then(start(&program, confining.as_deref(), environment)))?)
}

/// Returns the error of a start that wsd's own end has interrupted.
fn interrupted() -> LaunchError {
    io::Error::from(io::ErrorKind::Interrupted).into()
}

fn start(
    program: &Program,
    confinement: Option<&Confinement>,
    mut environment: Vec<Variable>,
) -> Result<Started, LaunchError> {
    program.check_links()?;
    program.stdio.add_variables(&mut environment);
    let (ends, standard) = streams::open(program.stdio)?;
    // Before the process starts, so that the guard knows it even if wsd ends at this moment.
    let record = WorkerRecord::new(UniqueId::among(environment.iter().map(Variable::text)));
    let (bounds, confined) = confinement.map(Confinement::begin).transpose()?.unzip();
    if let Some(confinement) = confinement {
        confinement.hand_over(&standard)?;
    }
    let folder = confinement.and_then(|confinement| confinement.folder.as_deref()).or(program.folder.as_deref());
    let pid = execute(program, environment, folder, bounds.as_ref(), &standard)?;
    let child = Child::new(pid, record, confined.map(Box::new));
    Ok(Started { child, ends, silence: Silence::watch(program) })
}

#[cfg(target_os = "linux")]
fn execute(
    program: &Program,
    environment: Vec<Variable>,
    folder: Option<&Path>,
    bounds: Option<&sys::Bounds>,
    standard: &[OwnedFd; 3],
) -> io::Result<Pid> {
    let text = |text: &OsStr| CString::new(text.as_bytes());
    let args: Vec<_> = program.argv().map(text).collect::<Result<_, _>>()?;
    let environment: Vec<_> = environment.into_iter().map(Variable::into_text).collect::<Result<_, _>>()?;
    let folder = folder.map(|folder| text(folder.as_os_str())).transpose()?;
    sys::start(&sys::Image {
        path: &text(program.path.as_os_str())?,
        args: &args,
        environment: &environment,
        folder: folder.as_deref(),
        descriptors: limit_before(),
        bounds,
        terminal: program.stdio.is_controlling().then_some(&standard[0]),
        standard,
    })
}

#[cfg(not(target_os = "linux"))]
fn execute(
    program: &Program,
    environment: Vec<Variable>,
    folder: Option<&Path>,
    _: Option<&sys::Bounds>,
    standard: &[OwnedFd; 3],
) -> io::Result<Pid> {
    use std::{os::unix::process::CommandExt as _, process::Command};

    let [stdin, stdout, stderr] = standard;
    let mut argv = program.argv();
    let started = Command::new(&program.path)
        .arg0(argv.next().unwrap_or_default())
        .args(argv)
        .current_dir(folder.unwrap_or(Path::new(".")))
        .env_clear()
        .envs(environment.iter().map(|variable| (variable.name(), variable.value())))
        .process_group(0)
        .stdin(stdin.try_clone()?)
        .stdout(stdout.try_clone()?)
        .stderr(stderr.try_clone()?)
        .spawn()?;
    Ok(Pid::from_child(&started))
}

#[cfg(test)]
mod tests {
    use std::{
        path::PathBuf,
        pin::pin,
        sync::mpsc::{Sender, channel},
        task::{Context, Waker},
        thread::{self, ThreadId},
    };

    use super::*;

    /// Sends the id of the thread that drops it.
    struct TracedPermit(Sender<ThreadId>);

    impl Drop for TracedPermit {
        fn drop(&mut self) {
            let _ = self.0.send(thread::current().id());
        }
    }

    #[tokio::test]
    async fn a_permit_is_not_given_back_before_the_start_is_done_whoever_left() {
        let program = Program::new(PathBuf::from("/bin/cat"), Vec::new());
        let given_back = loop {
            let (sender, given_back) = channel();
            let start = pin!(spawn_aside(&program, &None, Vec::new(), TracedPermit(sender)));
            // A start may be done before this thread looks.
            if start.poll(&mut Context::from_waker(Waker::noop())).is_pending() {
                break given_back;
            }
        };

        let place = given_back.recv().expect("it is given back");

        assert_ne!(place, thread::current().id(), "by the one who left, while the start went on");
    }
}
