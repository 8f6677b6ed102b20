//! The recipes of `docs/security.md`, each checked by the tool that reads it.

use std::fs::{File, Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use rustls::version::TLS13;

use crate::harness::certificates::{Authority, Identity};
use crate::harness::eventually;
use crate::harness::http::Connection;
use crate::harness::pages::{blocks, root, text};
use crate::harness::places::free_port;
use crate::harness::server::{Server, wsd};
use crate::harness::skip::{has, skip};
use crate::harness::stream::Stream;
use crate::harness::time::{SLACK, within};
use crate::harness::tree::Tree;
use crate::harness::websocket::{Client, upgrade_request};

/// The only block in this language of the page.
fn block(language: &str) -> String {
    let mut found = blocks(&text("docs/security.md"), language);
    assert_eq!(found.len(), 1, "{language}");
    found.remove(0)
}

/// Runs a command, which must succeed. Returns all that it says.
fn expect(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let said = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
    assert!(status.success(), "{command:?}: {said}");
    said
}

/// The value of a setting of the unit.
fn setting(unit: &str, name: &str) -> String {
    let value = unit.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    value.unwrap_or_else(|| panic!("no {name}")).to_owned()
}

/// The token of the file that the unit names.
const TOKEN: &str = "t0p-secret";

/// The programs of the settings: each the first word of a command.
fn programs(settings: &str) -> Vec<String> {
    let words = settings.lines().filter_map(|line| line.strip_prefix("command = [\"")?.split('"').next());
    let programs: Vec<_> = words.map(str::to_owned).collect();
    assert!(programs.len() >= 2, "{programs:?}");
    programs
}

/// Where the recipes have the programs.
const FOLDER: &str = "/srv/wsd/";

/// Returns the command of the unit in this folder, which has the settings of the page, in the folder where systemd starts it.
fn command(tree: &Tree, flags: &[&str]) -> Command {
    let examples = format!("{}/", root().join("examples").display());
    tree.file("wsd.toml", block("toml").replace(FOLDER, &examples)).file("tokens", format!("ci:{TOKEN}\n"));
    // The proxy may run as another user.
    for (name, mode) in [("tokens", 0o600), ("", 0o755)] {
        set_permissions(tree.path(name), Permissions::from_mode(mode)).unwrap();
    }
    let paths = [
        ("/etc/wsd.toml", tree.path("wsd.toml")),
        ("/run/wsd", tree.path("")),
        ("%d/tokens", tree.path("tokens")),
        ("--socketmode=660", "--socketmode=666".to_owned()),
    ];
    let line = paths.iter().fold(setting(&block("ini"), "ExecStart"), |line, (from, to)| {
        assert!(line.contains(from), "{line}");
        line.replace(from, to)
    });
    let mut command = wsd(&[flags, &line.split(' ').skip(1).collect::<Vec<_>>()].concat());
    command.current_dir("/");
    command
}

#[test]
fn each_program_of_the_settings_is_where_the_recipes_put_it() {
    let (unit, recipe, page) = (block("ini"), block("dockerfile"), text("docs/security.md"));
    let installs = blocks(&page, "console").concat();
    let install = installs.lines().find(|line| line.starts_with("# install ")).expect("how the programs come there");
    let copies: Vec<_> = recipe.lines().filter_map(|line| line.strip_prefix("COPY ")).collect();
    assert!(!unit.contains("WorkingDirectory=") && !recipe.contains("WORKDIR"), "both start wsd in /");

    for program in programs(&block("toml")) {
        let name = program.strip_prefix(FOLDER).unwrap_or_else(|| panic!("{program} is not in {FOLDER}"));
        let from = format!("examples/{name}");
        let is_copied = |copy: &&str| copy.ends_with(&format!(" {FOLDER}")) && copy.split(' ').any(|word| word == from);
        assert!(copies.iter().any(is_copied), "{program}: {copies:?}");
        assert!(install.contains("=/srv/wsd ") && install.split(' ').any(|word| word == from), "{program}: {install}");
        assert!(root().join(&from).exists(), "{from}");
    }
    assert!(unit.contains("ProtectHome=true") && !FOLDER.starts_with("/home"), "programs in the folders of users");
}

#[test]
fn the_image_that_runs_is_one_that_a_line_before_it_builds() {
    let lines = blocks(&text("docs/security.md"), "console").concat();
    let run = lines.lines().position(|line| line.starts_with("$ podman run ")).expect("a line that runs it");
    let image = lines.lines().nth(run).unwrap().split(' ').next_back().unwrap();

    let builds = format!(" -t {image} .");

    let build = lines.lines().take(run).find(|line| line.starts_with("$ podman build ") && line.ends_with(&builds));
    let file = build.and_then(|line| line.split("--file=").nth(1)?.split(' ').next());
    let named = format!("in a file `{}`", file.expect("a line that builds it"));
    assert!(text("docs/security.md").contains(&named), "{named}");
}

#[test]
fn wsd_takes_the_command_of_the_unit_and_the_settings() {
    let said = expect(&mut command(&Tree::new(), &["--check"]));

    assert_eq!(said, "the settings are valid\n");
}

#[test]
fn systemd_reads_the_unit_without_a_word_and_rates_what_it_exposes() {
    if !has("systemd-analyze") {
        return;
    }
    let tree = Tree::new();
    let unit = block("ini").replace("/usr/bin/wsd", wsd(&[]).get_program().to_str().unwrap());
    tree.file("wsd.service", unit);
    let file = tree.path("wsd.service");

    let verified = expect(Command::new("systemd-analyze").args(["verify", "--man=no", "--recursive-errors=no", &file]));
    assert_eq!(verified, "");

    let help = expect(Command::new("systemd-analyze").arg("--help"));
    if !help.contains("--offline") {
        return skip("systemd-analyze with --offline");
    }
    // 2.0 of 10 at most. A unit without these lines has 9.2.
    let rated = expect(Command::new("systemd-analyze").args(["security", "--offline=true", "--threshold=20", &file]));
    assert!(rated.contains("Overall exposure level"), "{rated}");
}

#[test]
fn the_container_is_made_of_instructions_and_run_with_flags_that_engines_know() {
    let recipe = block("dockerfile");
    let known = ["FROM", "USER", "RUN", "COPY", "WORKDIR"];
    for line in recipe.lines() {
        let (instruction, rest) = line.split_once(' ').unwrap();
        assert!(known.contains(&instruction) && !rest.is_empty(), "{line}");
        if instruction == "COPY" {
            let (sources, _) = rest.rsplit_once(' ').unwrap();
            assert!(sources.split(' ').all(|source| root().join(source).exists()), "{line}");
            assert!(sources.split(' ').all(|source| source.starts_with("examples/")), "{line}");
            assert!(text(".containerignore").lines().any(|line| line == "!examples"), "{line}");
        }
    }
    assert!(recipe.starts_with("FROM ") && recipe.trim_end().ends_with("USER nobody"), "{recipe}");
    let run = blocks(&text("docs/security.md"), "console").into_iter().find(|text| text.contains("$ podman run "));
    let run = run.expect("the command that runs it");
    let flags: Vec<_> = run
        .lines()
        .filter(|line| line.starts_with("$ podman run "))
        .flat_map(str::split_whitespace)
        .filter(|word| word.starts_with("--"))
        .map(|word| word.split('=').next().unwrap())
        .collect();
    assert!(flags.len() > 5, "{flags:?}");
    for engine in ["podman", "docker"] {
        let Ok(Output { stdout, .. }) = Command::new(engine).args(["run", "--help"]).output() else { continue };
        let help = String::from_utf8_lossy(&stdout).into_owned();
        for flag in &flags {
            assert!(help.split_whitespace().any(|word| word == *flag), "{engine} has no {flag}");
        }
        return;
    }
    skip("podman or docker");
}

/// A proxy: its program, which is the language of its recipe, where the recipe listens and the replacement, the settings around
/// it, and the arguments that check them and that run it. `FOLDER`, `PAIR` and `PORT` are replaced.
type Kind = (&'static str, [&'static str; 2], &'static str, [&'static [&'static str]; 2]);

const PROXIES: [Kind; 3] = [
    (
        "nginx",
        ["listen 443 ssl;", "listen 127.0.0.1:PORT ssl;"],
        "daemon off;\nuser root;\npid FOLDER/pid;\nevents {}\nhttp {\naccess_log off;\nclient_body_temp_path FOLDER/a;\n\
            proxy_temp_path FOLDER/b;\nfastcgi_temp_path FOLDER/c;\nuwsgi_temp_path FOLDER/d;\nscgi_temp_path FOLDER/e;\n\
            RECIPE}\n",
        [
            &["-t", "-q", "-p", "FOLDER", "-e", "stderr", "-c", "FOLDER/config"],
            &["-p", "FOLDER", "-e", "stderr", "-c", "FOLDER/config"],
        ],
    ),
    (
        "caddy",
        // It would ask for a certificate.
        ["example.com {", "https://localhost:PORT {\n\tbind 127.0.0.1\n\ttls PAIR PAIR"],
        "{\nadmin off\nauto_https disable_redirects\n}\nRECIPE",
        [
            &["validate", "--adapter", "caddyfile", "--config", "FOLDER/config"],
            &["run", "--adapter", "caddyfile", "--config", "FOLDER/config"],
        ],
    ),
    (
        "haproxy",
        ["bind :443 ssl", "bind 127.0.0.1:PORT ssl"],
        "RECIPE",
        [&["-c", "-f", "FOLDER/config"], &["-db", "-f", "FOLDER/config"]],
    ),
];

/// A proxy that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        // Caddy would wait for connections that are open.
        if within(SLACK, || self.0.try_wait().ok().flatten()).is_none() {
            let _ = self.0.kill();
        }
        let _ = self.0.wait();
    }
}

#[test]
fn each_proxy_takes_its_settings_and_carries_a_session_of_a_known_client() {
    for (name, listens, around, [check, run]) in PROXIES {
        if !has(name) {
            continue;
        }
        let (tree, authority, port) = (Tree::new(), Authority::new(), free_port());
        let Identity { certificate, key } = authority.identity("localhost");
        let _server = Server::spawn(command(&tree, &[]));
        let fill = |text: &str| {
            let text = text.replace("FOLDER", &tree.path("")).replace("PORT", &port.to_string());
            text.replace("PAIR", &tree.path("pair.pem"))
        };
        let recipe = block(name).replace("/run/wsd", &tree.path("")).replace("/etc/ssl/example.com.pem", "PAIR");
        assert!(recipe.contains(listens[0]) && recipe.contains("wsd.sock"), "{recipe}");
        let recipe = recipe.replace(listens[0], listens[1]);
        tree.file("pair.pem", certificate + &key).file("config", fill(&around.replace("RECIPE", &recipe)));
        let with = |arguments: &[&str]| {
            let mut command = Command::new(name);
            for variable in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
                command.env(variable, tree.path(""));
            }
            command.args(arguments.iter().map(|argument| fill(argument)));
            command
        };

        expect(&mut with(check));

        let log = File::create(tree.path("log")).unwrap();
        let mut proxy = Running(with(run).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap());
        let address = ([127, 0, 0, 1], port).into();
        eventually(&format!("{name} listens"), || {
            assert!(proxy.0.try_wait().unwrap().is_none(), "{name}: {}", String::from_utf8_lossy(&tree.read("log")));
            Stream::tcp(address).ok()
        });
        let open = |headers: &str| {
            let stream = Stream::tcp(address).unwrap().secure(&authority.client(&[&TLS13], None)).unwrap();
            let headers = format!("Origin: https://example.com\r\n{headers}");
            Client::upgrade(
                Connection::over(stream),
                &upgrade_request(&format!("localhost:{port}"), "/tool/x", &headers),
            )
        };
        assert_eq!(open("").err().map(|refused| refused.status), Some(401), "{name}");
        let token = format!("Authorization: Bearer {TOKEN}\r\nX-Forwarded-For: 203.0.113.9\r\n");
        let text = open(&token).unwrap_or_else(|refused| panic!("{name}: {refused}")).rest().0.join("\n");
        for line in ["REMOTE_USER=ci", "REMOTE_ADDR=127.0.0.1", "HTTPS=on", "PATH_INFO=/x"] {
            assert!(text.lines().any(|one| one == line), "{name}: {line}: {text}");
        }
        assert!(!text.contains(TOKEN), "{name}: {text}");
    }
}
