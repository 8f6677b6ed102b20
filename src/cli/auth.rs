//! Flags of a site: who its clients are. A route may set them, too.

use std::ffi::OsString;

use clap::{Args, ValueHint};
use serde::Deserialize;

use super::{
    types::{Items, repeated},
    value::{Flag, words},
};

/// Authentication.
#[derive(Args, Clone, Debug, Default, Deserialize, PartialEq)]
#[command(next_help_heading = "Authentication")]
pub(crate) struct AuthFlags {
    /// Admit only clients that this knows: basic:FILE (users of htpasswd), bearer:FILE (tokens), jwt:FILE (a key of JSON Web Tokens),
    /// cert (certificates of --sslca), url:URL (ask an authentication server), command:PROG (ask a CGI script), or none; repeatable: the
    /// first that knows the client admits it
    #[arg(long, value_name = "KIND")]
    #[serde(default, deserialize_with = "repeated")]
    pub(crate) auth: Option<Vec<Flag<String>>>,
    /// Require this audience (`aud`) in tokens of --auth=jwt:FILE; several are separated by commas, and one is enough; any requires none
    #[arg(long, value_name = "NAMES")]
    pub(crate) jwt_aud: Option<Flag<Items>>,
    /// Require this issuer (`iss`) in tokens of --auth=jwt:FILE; several are separated by commas, and one is enough; any requires none
    #[arg(long, value_name = "NAMES")]
    pub(crate) jwt_iss: Option<Flag<Items>>,
    /// Choose what needs credentials: all requests, or only those for sessions with programs [default: all]
    #[arg(long, value_name = "WHAT")]
    pub(crate) auth_for: Option<Flag<AuthForWord>>,
    /// Choose what to do with a session whose token expires: close it with 3000, or ignore that [default: close]
    #[arg(long, value_name = "HOW")]
    pub(crate) auth_expire: Option<Flag<AuthExpireWord>>,
    /// Accept a token in the query, too: ?access_token=TOKEN; other servers and browsers keep URLs in their logs
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) auth_query: Option<Flag<bool>>,
    /// Sign the cookies of pages with the secret in this file, so that they stay valid after a restart [default: a random one]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) auth_key: Option<Flag<OsString>>,
    /// Pass the header Authorization to programs, as HTTP_AUTHORIZATION; if no route has --auth, it is passed anyway
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) passauth: Option<Flag<bool>>,
}

words! {
    /// The requests that need credentials.
    AuthForWord { All = "all", Sessions = "ws" }

    /// The treatment of a session whose token expires.
    AuthExpireWord { Close = "close", Ignore = "ignore" }
}

impl AuthFlags {
    /// Lists the kinds of credentials. The word `none` is not one.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = &Flag<String>> {
        self.auth.iter().flatten().filter(|kind| kind.value != "none" && !kind.value.is_empty())
    }
}
