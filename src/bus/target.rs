//! The servers of the bus: one, those of a cluster, or sentinels.

use std::fmt;

use redis::{ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisResult, TlsCertificates};

/// The servers of `--bus`.
#[derive(Clone)]
pub(crate) enum BusTarget {
    /// One server.
    One(ConnectionInfo),
    /// Some nodes of a cluster.
    Cluster(Vec<ConnectionInfo>),
    /// Sentinels, and the name of the primary that they watch.
    Sentinels(Vec<ConnectionInfo>, String),
}

/// The certificate that wsd shows to the servers, and its key.
#[derive(Clone, Debug)]
pub(crate) struct BusIdentity(ClientTlsConfig);

impl BusIdentity {
    /// Returns the identity of these texts of PEM.
    pub(crate) fn new(client_cert: Vec<u8>, client_key: Vec<u8>) -> Self {
        Self(ClientTlsConfig { client_cert, client_key })
    }

    /// Returns it with the authorities of the system.
    pub(super) fn certificates(&self) -> TlsCertificates {
        TlsCertificates { client_tls: Some(self.0.clone()), root_cert: None }
    }
}

impl BusTarget {
    /// Reads URLs: one, several of a cluster, or `sentinel://HOST`, more hosts, and `/NAME` behind the last.
    pub(crate) fn parse(urls: &[String]) -> Result<Self, String> {
        let infos = |urls: &mut dyn Iterator<Item = String>| -> Result<Vec<_>, String> {
            urls.map(|url| info(&url).map_err(|error| error.to_string().replace(" - InvalidClientConfig", "")))
                .collect()
        };
        let Some(first) = urls.first() else { return Err("it is empty".to_owned()) };
        if let Some(rest) = first.strip_prefix("sentinel://") {
            let hosts = [&[rest.to_owned()], &urls[1..]].concat().join(",");
            let (hosts, name) = hosts.split_once('/').ok_or("the name of the primary is missing")?;
            let (user, hosts) = hosts.rsplit_once('@').map_or(("", hosts), |(user, hosts)| (user, hosts));
            let at = if user.is_empty() { "" } else { "@" };
            let urls = &mut hosts.split(',').map(|host| format!("redis://{user}{at}{host}"));
            return Ok(Self::Sentinels(infos(urls)?, name.to_owned()));
        }
        let mut all = infos(&mut urls.iter().cloned())?;
        Ok(if all.len() == 1 { Self::One(all.remove(0)) } else { Self::Cluster(all) })
    }

    /// Whether wsd reaches all servers by TLS.
    pub(crate) fn is_tls(&self) -> bool {
        let is_tls = |info: &ConnectionInfo| matches!(info.addr(), ConnectionAddr::TcpTls { .. });
        match self {
            Self::One(info) => is_tls(info),
            Self::Cluster(infos) => infos.iter().all(is_tls),
            Self::Sentinels(..) => false,
        }
    }
}

/// Reads a URL. Without TCP's delays: a record must not wait for the answer to another.
fn info(url: &str) -> RedisResult<ConnectionInfo> {
    let url = url
        .strip_prefix("unix:/")
        .filter(|rest| !rest.starts_with('/'))
        .map_or_else(|| url.to_owned(), |path| format!("unix:///{path}"));
    let info = url.as_str().into_connection_info()?;
    let settings = info.tcp_settings().clone().set_nodelay(true);
    Ok(info.set_tcp_settings(settings))
}

impl fmt::Debug for BusTarget {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::One(_) => "One",
            Self::Cluster(_) => "Cluster",
            Self::Sentinels(..) => "Sentinels",
        })
    }
}
