//! The flags that have no effect without another one. wsd refuses them, or drops them where a route inherits them.

use super::error::Error;
use crate::cli::{
    auth::AuthFlags,
    mcp::McpWord,
    site::{FramingWord, SharingWord, SiteFlags, SlowWord},
    value::{Flag, is_on},
};

/// A flag without effect: its place, the reason, advice, and how to remove it.
struct IdleFlag {
    at: Option<usize>,
    message: &'static str,
    hint: &'static str,
    remove: fn(&mut SiteFlags),
}

/// Refuses the first flag without effect. `has_program` says whether the site has COMMAND or `--dir`.
pub(super) fn check(flags: &SiteFlags, has_program: bool) -> Result<(), Error> {
    let first = idle(flags, has_program).into_iter().next();
    first.map_or(Ok(()), |IdleFlag { at, message, hint, .. }| Err(Error::new(message, hint).at(at)))
}

/// Drops the flags without effect, except a site's own ones: [`check`] refuses those.
pub(super) fn drop_inherited(flags: &mut SiteFlags, has_program: bool, is_own: impl Fn(Option<usize>) -> bool) {
    // Without one flag another may have no effect.
    while let Some(one) = idle(flags, has_program).iter().find(|one| !is_own(one.at)) {
        (one.remove)(flags);
    }
}

/// Lists the flags without effect.
fn idle(flags: &SiteFlags, has_program: bool) -> Vec<IdleFlag> {
    let mut found = idle_of_rooms(flags, has_program);
    if let Some(at) = place(&flags.programs.cgi_timeout).filter(|_| flags.served.cgidir.is_none()) {
        let message = "cannot use --cgi-timeout without --cgidir: it is for CGI scripts only";
        let hint = "add --cgidir=DIR, or remove --cgi-timeout";
        found.push(IdleFlag { at, message, hint, remove: |flags| flags.programs.cgi_timeout = None });
    }
    let is_readonly = is_on(&flags.programs.readonly) && !is_on(&flags.programs.pty);
    if let Some(at) = place(&flags.programs.readonly).filter(|_| is_readonly) {
        let message = "cannot use --readonly without --pty: it is for terminals only";
        let hint = "add --pty, or remove --readonly";
        found.push(IdleFlag { at, message, hint, remove: |flags| flags.programs.readonly = None });
    }
    let has_resume = flags.clients.resume.as_deref().is_some_and(|secs| !secs.0.is_zero());
    let has_http = is_on(&flags.clients.http);
    if let Some(at) = place(&flags.clients.http).filter(|_| has_http && !has_program) {
        let message = "cannot use --http without a program: it serves programs only";
        let hint = "name a program to serve, or remove --http";
        found.push(IdleFlag { at, message, hint, remove: |flags| flags.clients.http = None });
    }
    let has_mcp = flags.mcp.switch().is_some();
    if let Some(at) = place(&flags.clients.replay).filter(|_| !has_resume && !has_http && !has_mcp) {
        let message = "cannot use --replay without --resume, --http or --mcp: no client can return to its session";
        let hint = "add --resume=60, or remove --replay";
        found.push(IdleFlag { at, message, hint, remove: |flags| flags.clients.replay = None });
    }
    let keeps_none = flags.clients.replay.as_deref().is_some_and(|bytes| bytes.0 == 0);
    if let Some(at) = place(&flags.clients.replay).filter(|_| keeps_none) {
        let message = "cannot use --replay=0 with --resume or --http: there is nothing to replay";
        let hint = "write --replay=64k or more, or remove --replay";
        found.push(IdleFlag { at, message, hint, remove: |flags| flags.clients.replay = None });
    }
    found.extend(idle_of_record(flags, has_program));
    found.extend(idle_of_mcp(flags, has_program));
    found.extend(idle_of_auth(&flags.auth));
    found.extend(idle_of_limits(flags, has_program));
    found
}

/// Lists the flags about recordings where nothing is recorded.
fn idle_of_record(flags: &SiteFlags, has_program: bool) -> Vec<IdleFlag> {
    let mut found = Vec::new();
    let is_idle = flags.record.folder().is_some() && !has_program;
    if let Some(at) = place(&flags.record.record).filter(|_| is_idle) {
        let message = "cannot use --record without a program: it records sessions";
        let hint = "name a program to serve, or remove --record";
        found.push(IdleFlag { at, message, hint, remove: |flags| flags.record.record = None });
    }
    // With `--record=false` the command line switches off what the file sets.
    if let Some(at) = place(&flags.record.record_bytes).filter(|_| flags.record.record.is_none()) {
        let message = "cannot use --record-bytes without --record: nothing is recorded";
        let hint = "add --record=DIR, or remove --record-bytes";
        found.push(IdleFlag { at, message, hint, remove: |flags| flags.record.record_bytes = None });
    }
    found
}

/// Lists the flags of the gateway for MCP where there is none.
fn idle_of_mcp(flags: &SiteFlags, has_program: bool) -> Vec<IdleFlag> {
    const NONE: &str = "add --mcp, or remove it";
    let is_off = flags.mcp.switch().is_none();
    let mut found = Vec::new();
    if let Some(at) = place(&flags.mcp.mcp).filter(|_| !is_off && !has_program) {
        let message = "cannot use --mcp without a program: it serves one";
        let hint = "name a program to serve, or remove --mcp";
        found.push(IdleFlag { at, message, hint, remove: |flags| flags.mcp.mcp = None });
    }
    if let Some(at) = place(&flags.mcp.mcp_idle).filter(|_| is_off) {
        let message = "cannot use --mcp-idle without --mcp: it ends servers of MCP";
        found.push(IdleFlag { at, message, hint: NONE, remove: |flags| flags.mcp.mcp_idle = None });
    }
    let is_shared = flags.mcp.switch().is_some_and(|switch| switch.value == McpWord::Shared);
    if let Some(at) = place(&flags.mcp.mcp_spare).filter(|_| is_off || is_shared && is_on(&flags.mcp.mcp_spare)) {
        let message =
            "cannot use --mcp-spare without --mcp or with --mcp=shared: it is for servers of MCP with sessions";
        let hint = "write --mcp, or remove --mcp-spare";
        found.push(IdleFlag { at, message, hint, remove: |flags| flags.mcp.mcp_spare = None });
    }
    if let Some(at) = place(&flags.mcp.maxbody).filter(|_| is_off) {
        let message = "cannot use --maxbody without --mcp: it limits messages to servers of MCP";
        found.push(IdleFlag { at, message, hint: NONE, remove: |flags| flags.mcp.maxbody = None });
    }
    found
}

/// Lists the flags about credentials that no kind of credentials uses.
fn idle_of_auth(flags: &AuthFlags) -> Vec<IdleFlag> {
    const NONE: &str = "add --auth=KIND, or remove it";
    const NO_JWT: &str = "add --auth=jwt:FILE, or remove it";
    let (is_off, mut found) = (flags.kinds().next().is_none(), Vec::new());
    let has_jwt = flags.kinds().any(|kind| kind.starts_with("jwt:"));
    let mut add = |at: Option<Option<usize>>, is_idle: bool, message, hint, remove| {
        found.extend(at.filter(|_| is_idle).map(|at| IdleFlag { at, message, hint, remove }));
    };
    add(
        place(&flags.auth_for),
        is_off,
        "cannot use --auth-for without --auth: nobody needs credentials",
        NONE,
        |flags| flags.auth.auth_for = None,
    );
    add(
        place(&flags.auth_expire),
        is_off,
        "cannot use --auth-expire without --auth: there is no token",
        NONE,
        |flags| flags.auth.auth_expire = None,
    );
    add(
        place(&flags.auth_query),
        is_off,
        "cannot use --auth-query without --auth: nobody looks for a token",
        NONE,
        |flags| flags.auth.auth_query = None,
    );
    add(place(&flags.auth_key), is_off, "cannot use --auth-key without --auth: no page gets a cookie", NONE, |flags| {
        flags.auth.auth_key = None;
    });
    // Another route may have credentials, which the programs of this one get only so.
    let is_open = flags.auth.iter().flatten().any(|kind| kind.value == "none");
    add(
        place(&flags.passauth),
        is_off && !is_open,
        "cannot use --passauth without --auth: programs get the header Authorization anyway",
        "add --auth=KIND, or auth = \"none\" to a route beside others with credentials, or remove it",
        |flags| flags.auth.passauth = None,
    );
    add(
        place(&flags.jwt_aud),
        !has_jwt,
        "cannot use --jwt-aud without --auth=jwt:FILE: other tokens have no audience",
        NO_JWT,
        |flags| flags.auth.jwt_aud = None,
    );
    add(
        place(&flags.jwt_iss),
        !has_jwt,
        "cannot use --jwt-iss without --auth=jwt:FILE: other tokens have no issuer",
        NO_JWT,
        |flags| flags.auth.jwt_iss = None,
    );
    found
}

/// Lists the limits of programs and sessions where there are none.
fn idle_of_limits(flags: &SiteFlags, has_program: bool) -> Vec<IdleFlag> {
    const PROGRAM: &str = "name a program, or remove it";
    let (limits, has_any) = (&flags.limits, has_program || flags.served.cgidir.is_some());
    let mut found = Vec::new();
    let mut add = |at: Option<Option<usize>>, is_idle: bool, message, remove| {
        found.extend(at.filter(|_| is_idle).map(|at| IdleFlag { at, message, hint: PROGRAM, remove }));
    };
    add(
        place(&limits.maxforks_per_client),
        !has_any,
        "cannot use --maxforks-per-client without a program: it limits programs",
        |flags| flags.limits.maxforks_per_client = None,
    );
    add(
        place(&limits.rate),
        !has_any,
        "cannot use --rate without a program: it limits sessions and scripts",
        |flags| {
            flags.limits.rate = None;
        },
    );
    add(place(&limits.idle), !has_program, "cannot use --idle without a program: it closes sessions", |flags| {
        flags.limits.idle = None;
    });
    add(
        place(&limits.lifetime),
        !has_program,
        "cannot use --lifetime without a program: it closes sessions",
        |flags| {
            flags.limits.lifetime = None;
        },
    );
    add(place(&limits.rate_in), !has_program, "cannot use --rate-in without a program: it limits messages", |flags| {
        flags.limits.rate_in = None;
    });
    found
}

fn idle_of_rooms(flags: &SiteFlags, has_program: bool) -> Vec<IdleFlag> {
    let rooms = &flags.rooms;
    let (sharing, is_eager) = (rooms.sharing(), is_on(&rooms.eager));
    let is_shared = sharing != SharingWord::Off;
    // With this framing a client alone has a room, too.
    let has_room = is_shared || flags.programs.framing.iter().flatten().any(|word| word.value == FramingWord::Json);
    let waits = rooms.slow.as_deref() == Some(&SlowWord::Wait);
    let mut found = Vec::new();
    let mut add = |at: Option<Option<usize>>, is_idle: bool, message, hint, remove| {
        found.extend(at.filter(|_| is_idle).map(|at| IdleFlag { at, message, hint, remove }));
    };
    add(
        place(&rooms.shared),
        is_shared && !has_program,
        "cannot use --shared without a program: clients share one",
        "name a program to share, or remove --shared",
        |flags| flags.rooms.shared = None,
    );
    add(
        place(&rooms.eager),
        is_eager && sharing != SharingWord::All,
        "cannot use --eager without --shared: only one program for all clients starts before them",
        "add --shared=all",
        |flags| flags.rooms.eager = None,
    );
    add(
        place(&rooms.history),
        !is_shared && rooms.history.as_deref() != Some(&0),
        "cannot use --history without --shared: only a room has new clients",
        ADD_SHARED,
        |flags| flags.rooms.history = None,
    );
    add(
        place(&rooms.linger),
        !is_shared,
        "cannot use --linger without --shared: a program of its own ends with its client",
        ADD_SHARED,
        |flags| flags.rooms.linger = None,
    );
    add(
        place(&rooms.linger),
        is_eager && is_shared,
        "cannot combine --linger and --eager: an eager program stays without clients anyway",
        "remove one of them",
        |flags| flags.rooms.linger = None,
    );
    add(
        place(&rooms.slow),
        !has_room,
        "cannot use --slow without --shared: a program of its own waits for its client",
        ADD_SHARED,
        |flags| flags.rooms.slow = None,
    );
    add(
        place(&rooms.slow_wait),
        !has_room || !waits,
        "cannot use --slow-wait without --slow=wait: only then wsd waits for a client of a room",
        "add --slow=wait, or remove --slow-wait",
        |flags| flags.rooms.slow_wait = None,
    );
    found
}

const ADD_SHARED: &str = "add --shared or --shared=path";

/// Returns the place of a flag that is set.
#[expect(clippy::option_option, reason = "the place of a flag of the command line is `None`")]
fn place<'a, T: 'a>(flag: impl Into<Option<&'a Flag<T>>>) -> Option<Option<usize>> {
    flag.into().map(|flag| flag.at)
}
