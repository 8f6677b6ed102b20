//! Mistakes of a first day: each is named at the start, with its way out.

use crate::harness::server::{Server, run};
use crate::harness::tree::Tree;

/// Asserts that wsd refuses these words with this status, and says this.
fn assert_refused(words: &[&str], status: i32, said: &[&str]) {
    let outcome = run(words);

    assert_eq!(outcome.status, Some(status), "{words:?}: {outcome:?}");
    for text in said {
        assert!(outcome.stderr.contains(text), "{words:?} does not say {text}: {outcome:?}");
    }
}

const PROTECTING: [(&str, &str); 11] = [
    ("allow", "every address would be admitted"),
    ("auth", "everybody would be admitted"),
    ("cgroup", "no control group"),
    ("chdir", "in the folder of wsd"),
    ("deny", "no address would be refused"),
    ("limit", "programs would have no limits"),
    ("logfile", "on standard error"),
    ("metrics", "nothing would be measured"),
    ("record", "nothing would be recorded"),
    ("trust-proxy", "no proxy would be trusted"),
    ("user", "as the user of wsd"),
];

#[test]
fn an_empty_value_of_a_flag_that_protects_is_refused() {
    for (flag, effect) in PROTECTING {
        let (message, bare) = (format!("cannot use an empty value for --{flag}: "), format!("--{flag}"));
        assert_refused(&["--port=0", &format!("--{flag}="), "cat"], 1, &[&message, effect, "hint: "]);
        if flag != "cgroup" {
            assert_refused(&["--port=0", &bare, "", "cat"], 1, &[&message]);
        }
    }
    assert_refused(&["--port=0", "--allow= , ", "cat"], 1, &["cannot use an empty value for --allow"]);
    let tls = ["--port=0", "--ssl", "--sslcert=x", "--sslkey=x", "--sslca=", "cat"];
    assert_refused(&tls, 1, &["cannot use an empty value for --sslca: clients would need no certificate"]);
    assert_refused(&["--port=0", "--auth=", "--auth=none", "cat"], 1, &["cannot use an empty value for --auth"]);
}

#[test]
fn an_empty_value_of_a_key_that_protects_is_refused_on_its_line() {
    let tree = Tree::new();
    let (path, route) = (tree.path("wsd.toml"), "[[route]]\npath = \"/\"\ncommand = [\"cat\"]\n");
    for (key, _) in PROTECTING.into_iter().filter(|(key, _)| *key != "limit") {
        for value in ["\"\"", "[]", "[\"\"]"].into_iter().filter(|value| (key, *value) != ("deny", "[]")) {
            let message = format!("cannot use an empty value for `{key}`: ");
            tree.file("wsd.toml", format!("port = 0\n{key} = {value}\n{route}"));
            assert_refused(&["--config", &path], 1, &[&format!("wsd.toml:2: {message}")]);
            if !["logfile", "metrics", "trust-proxy"].contains(&key) {
                tree.file("wsd.toml", format!("port = 0\n{route}{key} = {value}\n"));
                assert_refused(&["--config", &path], 1, &[&format!("wsd.toml:5: {message}")]);
            }
        }
    }
    tree.file(
        "wsd.toml",
        format!("port = 0\nlimit = \"files=64\"\n{route}limit = \"\"\ncgroup = false\nauth = \"none\"\n"),
    );
    assert_eq!(run(&["--check", "--config", &path]).status, Some(0));
}

#[test]
fn credentials_without_a_kind_are_told_what_is_missing() {
    let tree = Tree::new();
    tree.file("users.htpasswd", "ada:{SHA}x\n");
    let users = tree.path("users.htpasswd");
    let missing = "invalid value for --auth: a kind and a colon are missing";

    assert_refused(&[&format!("--auth={users}"), "cat"], 1, &[missing, &format!("did you mean `basic:{users}`?")]);
    assert_refused(&["--auth=oauth", "cat"], 1, &[missing, "write basic:FILE"]);
    assert!(!run(&["--auth=s3cret", "cat"]).stderr.contains("s3cret"));
}

#[test]
fn a_file_of_passwords_is_no_file_of_tokens() {
    let tree = Tree::new();
    for hash in ["$2y$10$abc", "$2b$10$abc", "$6$abc", "$5$abc", "$argon2id$abc", "{SHA}abc"] {
        tree.file("users", format!("ada:{hash}\n"));

        let auth = format!("--auth=bearer:{}", tree.path("users"));

        assert_refused(&["--port=0", &auth, "cat"], 1, &["line 1: the token is the hash of a password", "basic:FILE"]);
        assert!(!run(&[&auth, "cat"]).stderr.contains(hash));
    }
}

#[test]
fn sizes_and_times_have_units() {
    for flags in [
        &["--maxbuffer=64M"][..],
        &["--maxframesize=1M", "--idle=5m", "--lifetime=2h"],
        &["--rate-in=64k/s"],
        &["--shared", "--linger=90s"],
        &["--resume=0.5m", "--replay=1M"],
    ] {
        let outcome = run(&[&["--check"], flags, &["cat"]].concat());
        assert_eq!(outcome.status, Some(0), "{flags:?}: {outcome:?}");
    }
    assert_refused(&["--idle=5d", "cat"], 2, &["a number of seconds, or a time such as 90s, 5m or 2h"]);
    assert_refused(&["--maxframesize=-1", "cat"], 2, &["a number of bytes"]);
}

#[test]
fn a_message_longer_than_a_size_with_a_unit_is_too_big() {
    let server = Server::command(&["--maxframesize=1k"], &["cat"]);

    let mut socket = server.connect("/");
    socket.text(&"x".repeat(1025));

    assert_eq!(socket.expect_close().code, Some(1009));
}

#[test]
fn a_script_without_an_interpreter_is_refused_at_the_start() {
    let tree = Tree::new();
    tree.program("script", "echo hello\n").program("empty", "").program("good", "#!/bin/sh\necho\n");
    for name in ["script", "empty"] {
        let file = tree.path(name);
        for check in ["--check", "--check=false"] {
            let said = ["its first line names no interpreter", &format!("begin {file} with the line #!/bin/sh")];
            assert_refused(&["--port=0", check, &file], 1, &said);
        }
    }
    for good in [&tree.path("good"), "cat"] {
        assert_eq!(run(&["--check", good]).status, Some(0), "{good}");
    }
}

#[test]
fn the_banner_tells_who_may_connect_and_as_whom_programs_run() {
    let tree = Tree::new();
    tree.file("users", "ada:$2y$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2\n");
    let auth = format!("--auth=basic:{}", tree.path("users"));
    let flags = [&*auth, "--allow=127.0.0.1, ::1", "--deny=10.0.0.0/8", "--rate=30/m,5", "--address=127.0.0.1"];

    let banner = Server::command(&flags, &["cat"]).stop();

    for line in [
        &*format!("  users    of {}\n", tree.path("users")),
        "  allowed  only 127.0.0.1, ::1\n",
        "  denied   10.0.0.0/8\n",
        "  rate     30/m, 5 at once, for each address of a client\n",
        "  clients  of this machine only, at 127.0.0.1\n",
    ] {
        assert!(banner.contains(line), "{line}: {banner}");
    }
}

#[test]
fn the_banner_names_the_rules_that_a_route_has_of_its_own() {
    let tree = Tree::new();
    tree.file("tokens", "ci:sesame\n");
    let auth = format!("auth = \"bearer:{}\"\n", tree.path("tokens"));
    let route = |path, own| format!("[[route]]\npath = \"{path}\"\ncommand = [\"cat\"]\n{own}\n");
    let routes = [route("/same", ""), route("/open", "auth = \"none\""), route("/here", "deny = []\nrate = \"1/s\"")];
    tree.file("wsd.toml", format!("{auth}deny = \"10.0.0.0/8\"\n{}", routes.concat()));

    let banner = Server::serve(&["--config", &tree.path("wsd.toml")]).stop();

    for line in [
        "  route    /same cat\n",
        "  route    /open cat, with its own --auth=none\n",
        "  route    /here cat, with its own --deny, --rate\n",
    ] {
        assert!(banner.contains(line), "{line}: {banner}");
    }
}

#[test]
fn a_token_in_the_query_without_tls_is_a_warning_at_the_start() {
    let tree = Tree::new();
    tree.file("tokens", "ci:sesame\n");
    let auth = format!("--auth=bearer:{}", tree.path("tokens"));

    let banner = Server::command(&[&auth, "--auth-query"], &["cat"]).stop();

    assert!(banner.contains("  hint     with --auth-query, tokens in URLs cross the network without TLS"), "{banner}");
}

#[test]
fn a_variable_before_command_gets_the_flag_for_it() {
    assert_refused(&["FOO=1", "cat", "-u"], 1, &["hint: set a variable with a flag: --env=FOO=1 cat -u\n"]);
    assert_refused(&["FOO=1"], 1, &["hint: let a shell run it"]);
}

#[test]
fn only_near_names_are_suggested() {
    assert_refused(&["--nosuch", "cat"], 2, &["unknown flag `--nosuch`\nhint: use a flag that `wsd --help` lists"]);
    assert_refused(&["--max-forks=1", "cat"], 2, &["did you mean `--maxforks`?"]);
    assert_refused(&["--nice", "cat"], 2, &["hint: a number is missing after --nice: write --nice=N cat\n"]);
    assert_refused(&["--nice=cat", "cat"], 2, &["hint: look up --nice"]);
    assert_refused(&["--loglevel=warning", "cat"], 2, &["did you mean `warn`?"]);
}

#[test]
fn claims_at_the_top_of_a_file_need_tokens_somewhere() {
    let tree = Tree::new();
    tree.file("wsd.toml", "port = 0\njwt-aud = \"app\"\n[[route]]\npath = \"/\"\ncommand = [\"cat\"]\n");

    assert_refused(&["--config", &tree.path("wsd.toml")], 1, &["wsd.toml:2: cannot use `jwt-aud` without "]);
}

#[test]
fn lists_that_admit_nobody_are_a_warning() {
    let tree = Tree::new();
    tree.file("empty", "# nobody\n");
    let list = format!("--allow=@{}", tree.path("empty"));
    let table: [(&[&str], bool); 3] = [
        (&[&list], true),
        (&["--allow=10.0.0.0/8", "--deny=10.0.0.0/8"], true),
        (&["--allow=10.0.0.0/8", "--deny=10.1.0.0/16"], false),
    ];
    for (flags, is_warned) in table {
        let outcome = run(&[flags, &["--check", "cat"]].concat());
        assert_eq!(outcome.status, Some(0), "{flags:?}: {outcome:?}");
        assert_eq!(outcome.stderr.contains("warning: --allow admits nobody"), is_warned, "{flags:?}: {outcome:?}");
    }
}
