//! Builds the limits of each source and of each session from their flags.

use std::time::Duration;

use crate::{
    cli::{
        limits::{LimitFlags, RateInWords},
        types::{Limit, SecsFromZero},
        value::Flag,
    },
    http::source_limits::{Scoped, SourceLimits},
    limits::REQUESTS_PER_CLIENT,
    session::terms::SessionLimits,
    sources::SourceTable,
};

/// The numbers of the counters of a site: 0 for a limit that it inherits, so that its sources count together with those of
/// other sites.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Scopes {
    programs: u32,
    rate: u32,
    requests: u32,
}

impl Scopes {
    /// Returns the numbers of a route: `number` for each limit that it sets itself.
    pub(super) fn of_route(flags: &LimitFlags, number: u32, is_own: impl Fn(Option<usize>) -> bool) -> Self {
        let scope = |at: Option<Option<usize>>| if at.is_some_and(&is_own) { number } else { 0 };
        Self {
            programs: scope(flags.maxforks_per_client.as_ref().map(|flag| flag.at)),
            rate: scope(flags.rate.as_ref().map(|flag| flag.at)),
            requests: scope(flags.requests_per_client.as_ref().map(|flag| flag.at)),
        }
    }
}

/// Returns the limits of each source, which `table` counts.
pub(super) fn sources(flags: &LimitFlags, scopes: Scopes, table: &SourceTable) -> SourceLimits {
    let requests = flags.requests_per_client.as_deref().map_or(Some(REQUESTS_PER_CLIENT), Limit::count);
    SourceLimits {
        table: table.clone(),
        rate: flags.rate.as_deref().and_then(|rate| Some(Scoped { limit: rate.0?, scope: scopes.rate })),
        programs: flags
            .maxforks_per_client
            .as_deref()
            .and_then(|limit| Some(Scoped { limit: limit.count()?, scope: scopes.programs })),
        requests: requests.map(|limit| Scoped { limit, scope: scopes.requests }),
    }
}

/// Returns the limits of each session.
pub(super) fn session(flags: &LimitFlags) -> SessionLimits {
    let time = |flag: &Option<Flag<SecsFromZero>>| {
        flag.as_deref().map(|secs| secs.0).filter(|secs: &Duration| !secs.is_zero())
    };
    let none = RateInWords { bytes: None, messages: None };
    let rates = flags.rate_in.as_deref().unwrap_or(&none);
    SessionLimits {
        idle: time(&flags.idle),
        lifetime: time(&flags.lifetime),
        bytes_in: rates.bytes,
        messages_in: rates.messages,
    }
}
