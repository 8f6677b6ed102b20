//! JSON Web Tokens: what is accepted, the known attacks, and the end of a session with its token.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::server::{Server, field, run};
use crate::harness::tree::Tree;
use crate::harness::websocket::Close;

use super::kit::{Credential, base64url, secret};

/// The secret of HMAC.
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// The leeway of wsd, in seconds.
const LEEWAY: i64 = 60;

/// The claims of a good token that expires in so many seconds.
pub(super) fn claims(secs: i64) -> Value {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    json!({ "sub": "ada", "aud": "wsd", "iss": "https://id.example", "exp": now + secs })
}

/// Signs claims with the secret.
pub(super) fn signed(claims: &Value) -> String {
    encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
}

/// Writes a file with the secret, and returns the flags.
pub(super) fn flags(tree: &Tree) -> [String; 3] {
    let file = secret(tree, "jwt", &format!("secret:{SECRET}\n"));
    [format!("--auth=jwt:{file}"), "--jwt-aud=wsd,other".to_owned(), "--jwt-iss=https://id.example".to_owned()]
}

/// Starts a server with these keys.
fn serve(tree: &Tree, keys: &str, more: &[&str]) -> Server {
    let kind = format!("--auth=jwt:{}", secret(tree, "keys", keys));
    Server::command(&[&[&*kind, "--jwt-aud=wsd,other", "--jwt-iss=https://id.example"], more].concat(), &["env"])
}

fn status(server: &Server, token: &str) -> u16 {
    let headers = Credential::Token(token.to_owned()).header();
    server.try_connect("/", &headers).map_or_else(|refusal| refusal.status, |_| 200)
}

/// Returns a public key in PEM, and a key that signs.
fn pair(kind: &'static rcgen::SignatureAlgorithm) -> (String, EncodingKey) {
    let pair = KeyPair::generate_for(kind).unwrap();
    let private = pair.serialize_pem();
    let key = EncodingKey::from_rsa_pem(private.as_bytes())
        .or_else(|_| EncodingKey::from_ec_pem(private.as_bytes()))
        .or_else(|_| EncodingKey::from_ed_pem(private.as_bytes()));
    (pair.public_key_pem(), key.unwrap())
}

#[test]
fn tokens_of_each_kind_of_key_are_accepted_and_of_no_other_key() {
    let kinds = [
        (&PKCS_RSA_SHA256, Algorithm::RS256),
        (&PKCS_ECDSA_P256_SHA256, Algorithm::ES256),
        (&PKCS_ED25519, Algorithm::EdDSA),
    ];
    for (kind, algorithm) in kinds {
        let tree = Tree::new();
        let ((one, signs), (next, signs_next), (_, signs_not)) = (pair(kind), pair(kind), pair(kind));
        let server = serve(&tree, &format!("{one}\n{next}"), &[]);
        let sign = |key: &EncodingKey| encode(&Header::new(algorithm), &claims(60), key).unwrap();
        assert_eq!(status(&server, &sign(&signs)), 200, "{algorithm:?}");
        assert_eq!(status(&server, &sign(&signs_next)), 200, "{algorithm:?}: the second key of the file");
        assert_eq!(status(&server, &sign(&signs_not)), 401, "{algorithm:?}");
        let text = server.connect_with("/", &Credential::Token(sign(&signs)).header()).rest().0.join("\n");
        assert!(text.contains("REMOTE_USER=ada") && text.contains("AUTH_TYPE=Bearer"), "{text}");
    }
}

#[test]
fn a_key_of_a_set_is_found_by_its_id() {
    let tree = Tree::new();
    let ((_, one), (_, two)) = (pair(&PKCS_RSA_SHA256), pair(&PKCS_RSA_SHA256));
    let jwk = |key: &EncodingKey, id: &str| {
        let mut jwk = jsonwebtoken::jwk::Jwk::from_encoding_key(key, Algorithm::RS256).unwrap();
        jwk.common.key_id = Some(id.to_owned());
        jwk
    };
    let server = serve(&tree, &json!({ "keys": [jwk(&one, "a"), jwk(&two, "b")] }).to_string(), &[]);
    let sign = |key: &EncodingKey, id: Option<&str>| {
        let header = Header { kid: id.map(str::to_owned), ..Header::new(Algorithm::RS256) };
        encode(&header, &claims(60), key).unwrap()
    };
    assert_eq!(status(&server, &sign(&one, Some("a"))), 200);
    assert_eq!(status(&server, &sign(&two, Some("b"))), 200);
    assert_eq!(status(&server, &sign(&two, None)), 200);
    assert_eq!(status(&server, &sign(&two, Some("a"))), 401);
    assert_eq!(status(&server, &sign(&two, Some("c"))), 401);
}

#[test]
fn a_claim_that_is_missing_or_wrong_is_refused() {
    let changes: [(&str, Option<Value>); 12] = [
        ("exp", None),
        ("exp", Some(json!("soon"))),
        ("exp", Some(json!(-1))),
        ("exp", Some(json!(1))),
        ("aud", None),
        ("aud", Some(json!("another"))),
        ("aud", Some(json!(["another", "third"]))),
        ("iss", None),
        ("iss", Some(json!("https://evil.example"))),
        ("sub", None),
        ("sub", Some(json!("a\nb"))),
        ("nbf", Some(json!(4_000_000_000_u64))),
    ];
    for changes in changes.chunks(4) {
        // A new server, since a source may guess only a few times a minute.
        let tree = Tree::new();
        let server = serve(&tree, &format!("secret:{SECRET}\n"), &[]);
        assert_eq!(status(&server, &signed(&claims(60))), 200);
        for (name, value) in changes {
            let mut claims = claims(60);
            match value {
                None => drop(claims.as_object_mut().unwrap().remove(*name)),
                Some(value) => claims[*name] = value.clone(),
            }
            assert_eq!(status(&server, &signed(&claims)), 401, "{name} {value:?}");
        }
        let mut several = claims(60);
        several["aud"] = json!(["x", "other"]);
        assert_eq!(status(&server, &signed(&several)), 200, "one audience of several");
    }
}

#[test]
fn no_algorithm_but_those_of_the_key_is_accepted() {
    let tree = Tree::new();
    let (public, private) = pair(&PKCS_RSA_SHA256);
    let server = serve(&tree, &public, &[]);
    let good = encode(&Header::new(Algorithm::RS256), &claims(60), &private).unwrap();
    let parts: Vec<_> = good.split('.').collect();
    let none = base64url("{\"alg\":\"none\",\"typ\":\"JWT\"}");
    // The public key, which everybody has, as the secret of HMAC.
    let confused = |secret: &str| {
        encode(&Header::new(Algorithm::HS256), &claims(60), &EncodingKey::from_secret(secret.as_bytes())).unwrap()
    };
    let critical = Header { crit: Some(vec!["x".to_owned()]), ..Header::new(Algorithm::RS256) };
    let attacks = [
        ("none", format!("{none}.{}.", parts[1])),
        ("none with a signature", format!("{none}.{}.{}", parts[1], parts[2])),
        ("the public key as a secret", confused(&public)),
        ("a critical header", encode(&critical, &claims(60), &private).unwrap()),
    ];
    for (attack, token) in attacks {
        assert_eq!(status(&server, &token), 401, "{attack}");
    }
    assert_eq!(status(&server, &good), 200);

    let server = serve(&tree, &public, &[]);
    let attacks = [
        ("the public key as a secret, trimmed", confused(public.trim())),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("another payload", format!("{}.{}.{}", parts[0], base64url(&claims(99).to_string()), parts[2])),
        ("a token of 24 KiB", format!("{}.{}.{}", parts[0], "A".repeat(24 << 10), parts[2])),
    ];
    for (attack, token) in attacks {
        assert_eq!(status(&server, &token), 401, "{attack}");
    }
}

#[test]
fn an_expired_token_is_no_guess() {
    let tree = Tree::new();
    let server = serve(&tree, &format!("secret:{SECRET}\n"), &[]);
    for _ in 0..8 {
        assert_eq!(status(&server, &signed(&claims(-LEEWAY - 10))), 401);
    }
    assert_eq!(status(&server, &signed(&claims(-LEEWAY + 30))), 200, "within the leeway");
}

#[test]
fn a_session_ends_when_its_token_expires_unless_that_is_ignored() {
    let tree = Tree::new();
    let [kind, audience, issuer] = flags(&tree);
    let open = |more: &[&str]| {
        let server = Server::command(&[&[&*kind, &audience, &issuer], more].concat(), &["cat"]);
        let mut client = server.connect_with("/", &Credential::Token(signed(&claims(2 - LEEWAY))).header());
        client.text("hello");
        assert_eq!(client.line(), "hello");
        (server, client)
    };
    let (server, mut client) = open(&[]);
    assert_eq!(client.expect_close(), Close::new(3000, "expired"));
    client.close(3000);
    let line = server.expect_log("session ended").text;
    assert_eq!(field(&line, "end").as_deref(), Some("expired"), "{line}");

    let (_server, mut client) = open(&["--auth-expire=ignore"]);
    assert!(client.connection().is_silent_for(Duration::from_secs(4)));
    client.text("still here");
    assert_eq!(client.line(), "still here");
}

#[test]
fn keys_load_again() {
    let tree = Tree::new();
    let server = serve(&tree, &format!("secret:{}\n", "x".repeat(40)), &[]);
    assert_eq!(status(&server, &signed(&claims(60))), 401);

    secret(&tree, "keys", &format!("secret:{SECRET}\n"));
    server.signal(Signal::HUP);
    server.expect_log("auth file loaded");

    assert_eq!(status(&server, &signed(&claims(60))), 200);
}

#[test]
fn audience_and_issuer_must_be_named() {
    let tree = Tree::new();
    let [kind, audience, issuer] = flags(&tree);
    let table: [(&[&str], &str); 3] = [
        (&[&kind], "cannot use --auth=jwt without --jwt-aud"),
        (&[&kind, &audience], "cannot use --auth=jwt without --jwt-iss"),
        (&[&kind, &issuer, "--jwt-aud="], "cannot use --auth=jwt without --jwt-aud"),
    ];
    for (flags, message) in table {
        let outcome = run(&[flags, &["--port=0", "cat"]].concat());
        assert_eq!(outcome.status, Some(1), "{flags:?}");
        assert!(outcome.stderr.contains(message), "{}", outcome.stderr);
    }
    let server = Server::command(&[&kind, "--jwt-aud=any", "--jwt-iss=any"], &["cat"]);
    let mut bare = claims(60);
    bare.as_object_mut().unwrap().retain(|name, _| name == "sub" || name == "exp");
    assert_eq!(status(&server, &signed(&bare)), 200);
}

#[test]
fn the_log_tells_why_a_token_is_wrong_and_the_client_does_not_learn_it() {
    let changes: [(&str, Option<Value>, &str); 7] = [
        ("exp", Some(json!(1)), "its token has expired"),
        ("aud", Some(json!("another")), "its aud is not in --jwt-aud"),
        ("aud", None, "its token has no aud, which --jwt-aud asks for"),
        ("iss", Some(json!("https://evil.example")), "its iss is not in --jwt-iss"),
        ("sub", None, "its token has no sub that may be a user"),
        ("exp", None, "its token has no exp, or a claim of a wrong type"),
        ("nbf", Some(json!(4_000_000_000_u64)), "its token is not valid yet: see its nbf, and the clock"),
    ];
    let refused = |token: &str, hint: &str| {
        // A new server, since a source may guess only a few times a minute.
        let tree = Tree::new();
        let server = serve(&tree, &format!("secret:{SECRET}\n"), &[]);
        let refusal = server.refusal("/", &Credential::Token(token.to_owned()).header());
        let line = server.expect_log("session refused").text;
        assert_eq!((refusal.status, field(&line, "hint").as_deref()), (401, Some(hint)), "{line}");
        assert!(!refusal.to_string().contains(hint) && !line.contains(token), "{refusal}");
    };
    for (name, value, hint) in changes {
        let mut claims = claims(60);
        match value {
            None => drop(claims.as_object_mut().unwrap().remove(name)),
            Some(value) => claims[name] = value,
        }
        refused(&signed(&claims), hint);
    }
    let of_other = EncodingKey::from_secret(b"ANOTHER-SECRET-0123456789abcdef0");
    refused(&encode(&Header::new(Algorithm::HS256), &claims(60), &of_other).unwrap(), "its signature is wrong");
    refused("a.b.c", "its credentials are wrong");
}
