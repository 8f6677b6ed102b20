//! The sentinels of `--bus`, which know the primary.

use std::fmt;

use redis::{
    Client, ConnectionInfo, ErrorKind, RedisConnectionInfo, RedisResult,
    sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType},
};
use tokio::sync::Mutex;

/// How to ask the sentinels for the primary. Often the primary has a password and they have none, which is an error of `AUTH`: then
/// wsd asks them without the credentials of the URL.
pub(super) struct Sentinels {
    /// With the credentials of the URL for them, and without.
    ways: Mutex<Vec<SentinelClient>>,
}

impl fmt::Debug for Sentinels {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sentinels")
    }
}

impl Sentinels {
    /// Returns the sentinels at these addresses, which watch the primary `name`.
    pub(super) fn new(infos: &[ConnectionInfo], name: &str) -> RedisResult<Self> {
        let settings = infos[0].redis_settings();
        let mut kinds = vec![settings.clone()];
        if settings.password().is_some() {
            kinds.push(RedisConnectionInfo::default());
        }
        let way = |of_sentinel: RedisConnectionInfo| {
            let infos = infos.iter().map(|info| info.clone().set_redis_settings(of_sentinel.clone())).collect();
            let of_primary = SentinelNodeConnectionInfo::default().set_redis_connection_info(settings.clone());
            SentinelClient::build(infos, name, Some(of_primary), SentinelServerType::Master)
        };
        Ok(Self { ways: Mutex::new(kinds.into_iter().map(way).collect::<RedisResult<_>>()?) })
    }

    /// Returns the primary.
    pub(super) async fn primary(&self) -> RedisResult<Client> {
        let mut ways = self.ways.lock().await;
        let (first, others) = ways.split_first_mut().expect("there is one way at least");
        let mut failed = match first.async_get_client().await {
            Ok(client) => return Ok(client),
            Err(error) => error,
        };
        for way in others {
            match way.async_get_client().await {
                Ok(client) => return Ok(client),
                // Such an error is of the credentials that they do not want.
                Err(error) if failed.kind() == ErrorKind::AuthenticationFailed => failed = error,
                Err(_) => {}
            }
        }
        Err(failed)
    }
}
