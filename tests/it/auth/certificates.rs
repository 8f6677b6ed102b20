//! `--auth=cert`: the name in the certificate of a client is its identity.

use rcgen::SanType;
use rustls::version::TLS13;

use crate::harness::certificates::{Authority, Identity};
use crate::harness::http::Connection;
use crate::harness::server::Server;
use crate::harness::stream::Stream;
use crate::harness::tree::Tree;
use crate::harness::websocket::{Client, upgrade_request};

#[test]
fn the_name_in_a_certificate_is_the_user() {
    let (tree, authority) = (Tree::new(), Authority::new());
    let Identity { certificate, key } = authority.identity("server");
    tree.file("cert.pem", certificate).file("key.pem", key).file("ca.pem", authority.pem());
    let [cert, key, ca] =
        ["cert", "key", "ca"].map(|name| format!("--ssl{name}={}", tree.path(&format!("{name}.pem"))));
    let server = Server::command(&["--ssl", &cert, &key, &ca, "--auth=cert"], &["env"]);
    let (email, dns) = (
        SanType::Rfc822Name("ada@example.com".try_into().unwrap()),
        SanType::DnsName("host.example".try_into().unwrap()),
    );
    let address = SanType::IpAddress("192.0.2.1".parse().unwrap());
    let table = [
        (vec![], "REMOTE_USER=Ada L."),
        (vec![email.clone(), dns.clone()], "REMOTE_USER=ada@example.com"),
        (vec![address.clone(), dns], "REMOTE_USER=host.example"),
        (vec![address], "REMOTE_USER=Ada L."),
    ];
    for (alternatives, user) in table {
        let identity = authority.named("Ada L.", alternatives);
        let stream =
            Stream::tcp(server.address).unwrap().secure(&authority.client(&[&TLS13], Some(&identity))).unwrap();
        let request = upgrade_request(&format!("localhost:{}", server.address.port()), "/", "");
        let client = Client::upgrade(Connection::over(stream), &request);
        let text = client.unwrap_or_else(|response| panic!("{response}")).rest().0.join("\n");
        assert!(text.lines().any(|line| line == user), "{user}: {text}");
        assert!(text.contains("AUTH_TYPE=Certificate"), "{text}");
    }
}
