//! Builds the authentication of a site: opens its files, and checks the flags about them.

use std::{
    ffi::OsString,
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
};

use super::error::Error;
use crate::{
    cli::{
        auth::{AuthExpireWord, AuthFlags, AuthForWord},
        types::Items,
        value::{Flag, is_on},
    },
    http::{
        auth::{
            Auth, AuthOptions, basic::Basic, bearer::Bearer, check::Check, command::AuthScript, credentials::Carriers,
            forward::Forward, jwt::Jwt, state::AuthState, watched::FileFault,
        },
        gate::AuthList,
    },
    worker::{environ::EnvironOptions, program::locate},
};

/// Returns the authentication of a site, and its list; `None` if all clients may connect. A script that it asks has the variables
/// of `environ`.
pub(super) fn auth(
    flags: &AuthFlags,
    environ: &EnvironOptions,
    state: &AuthState,
) -> Result<Option<(Auth, AuthList)>, Error> {
    let open = |kind| state.check(&settings(kind, flags, environ), || check(kind, flags, environ));
    let checks = flags.kinds().map(open).collect::<Result<Vec<_>, _>>()?;
    if checks.is_empty() {
        return Ok(None);
    }
    if let Some(none) = flags.auth.iter().flatten().find(|kind| kind.value == "none") {
        let error = Error::new("cannot combine --auth=none and other kinds of credentials", "remove one of them");
        return Err(error.about(none));
    }
    let mut list = DefaultHasher::new();
    flags.kinds().for_each(|kind| settings(kind, flags, environ).hash(&mut list));
    let list = AuthList {
        id: list.finish(),
        is_by_path: flags.kinds().any(|kind| kind.starts_with("url:") || kind.starts_with("command:")),
    };
    let options = AuthOptions {
        carriers: Carriers { has_query: is_on(&flags.auth_query), passes: is_on(&flags.passauth) },
        is_for_sessions: flags.auth_for.as_deref() == Some(&AuthForWord::Sessions),
        is_ended: flags.auth_expire.as_deref() != Some(&AuthExpireWord::Ignore),
        list: list.id,
    };
    let key = |flag: &Flag<OsString>| {
        let path = Path::new(&flag.value);
        state.key(path).map_err(|fault| unusable("--auth-key", path, fault).about(flag))
    };
    let key = flags.auth_key.as_ref().map(key).transpose()?;
    Ok(Some((Auth::new(checks, options, key, state), list)))
}

/// Returns all that a check depends on.
fn settings(kind: &Flag<String>, flags: &AuthFlags, environ: &EnvironOptions) -> String {
    let AuthFlags { jwt_aud, jwt_iss, .. } = flags;
    let names = |names: &Option<Flag<Items>>| names.as_ref().map(|names| names.0.join(",")).unwrap_or_default();
    let environ = if kind.starts_with("command:") { format!("{environ:?}") } else { String::new() };
    format!("{}\0{}\0{}\0{environ}", **kind, names(jwt_aud), names(jwt_iss))
}

/// Reads one kind of credentials.
fn check(kind: &Flag<String>, flags: &AuthFlags, environ: &EnvironOptions) -> Result<Check, Error> {
    let (word, rest) = kind.split_once(':').unwrap_or((kind, ""));
    let path = Path::new(rest);
    let opened = match word {
        "basic" | "bearer" | "jwt" if rest.is_empty() => {
            return Err(Error::new(
                format!("cannot use --auth={word} without a file"),
                format!("write --auth={word}:FILE"),
            )
            .about(kind));
        }
        "basic" => Basic::open(path).map(Check::Basic),
        "bearer" => Bearer::open(path).map(Check::Bearer),
        "jwt" => {
            let audiences = claim(kind, "--jwt-aud", flags.jwt_aud.as_ref())?;
            Jwt::open(path, audiences, claim(kind, "--jwt-iss", flags.jwt_iss.as_ref())?).map(Check::Jwt)
        }
        "cert" if rest.is_empty() => return Ok(Check::Cert),
        "url" => {
            let wrong = |why| {
                Error::new(format!("invalid URL in --auth=url: {why}"), "write url:http://localhost:4180/").about(kind)
            };
            return Forward::parse(rest).map(Check::Forward).map_err(wrong);
        }
        "command" => {
            let program = locate(rest.as_ref()).ok_or_else(|| {
                let message =
                    format!("cannot run `{rest}` of --auth: there is no such program, or it is not executable");
                Error::new(message, "name an executable file: command:./check").about(kind)
            })?;
            return Ok(Check::Script(Box::new(AuthScript::new(&program, environ.clone()))));
        }
        _ => return Err(unknown(kind, word)),
    };
    opened.map_err(|fault| unusable("--auth", path, fault).about(kind))
}

/// Returns the values that a claim may have; `None` is any.
fn claim(kind: &Flag<String>, flag: &str, names: Option<&Flag<Items>>) -> Result<Option<Vec<String>>, Error> {
    let all = names.into_iter().flat_map(|names| &names.0).map(|name| name.trim().to_owned());
    let all: Vec<_> = all.filter(|name| !name.is_empty()).collect();
    if all.is_empty() {
        let message = format!("cannot use --auth=jwt without {flag}: a token for another service would be good here");
        let hint = format!("add {flag}=NAME, or {flag}=any");
        return Err(Error::new(message, hint).about(kind));
    }
    Ok(Some(all).filter(|all| all != &["any"]))
}

/// Returns the error of a word that is no kind of credentials. Shows only the word: the rest may be a secret.
fn unknown(kind: &Flag<String>, word: &str) -> Error {
    const KINDS: [&str; 7] = ["basic", "bearer", "jwt", "cert", "url", "command", "none"];
    if !kind.contains(':') && Path::new(word).is_file() {
        let hint = format!("did you mean `basic:{word}`?");
        return Error::new("invalid value for --auth: a kind and a colon are missing", hint).about(kind);
    }
    let near = KINDS.iter().find(|known| strsim::osa_distance(word, known) <= 2 && word.len() > 2);
    let hint = match near {
        Some(known) => format!("did you mean `{known}`?"),
        None => "write basic:FILE, bearer:FILE, jwt:FILE, cert, url:URL, command:PROG or none".to_owned(),
    };
    let cause = if kind.contains(':') {
        format!("unknown kind of credentials `{word}`")
    } else {
        "a kind and a colon are missing".to_owned()
    };
    Error::new(format!("invalid value for --auth: {cause}"), hint).about(kind)
}

/// Returns the error of a file, with its line if the fault is about one.
fn unusable(flag: &str, path: &Path, FileFault { cause, hint }: FileFault) -> Error {
    Error::new(format!("cannot use `{}` of {flag}: {cause}", path.display()), hint)
}
