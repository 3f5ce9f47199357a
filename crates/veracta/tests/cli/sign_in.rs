//! Log-in through an identity provider that runs here: what is let in, and what is not.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use veracta_ledger::Hash;

use crate::project::{PIPELINE, Project};
use crate::server::Server;

const CLIENT: &str = "veracta-test";

/// What the provider does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    OtherKey,
    OtherNonce,
    OtherAudience,
    OtherIssuer,
    Expired,
    NoSignature,
    Unverified,
}

/// A provider of identities: one person, one key.
struct Provider {
    url: String,
    fault: Arc<Mutex<Fault>>,
    /// Nonce and challenge of the log-in that was begun last.
    asked: Arc<Mutex<(String, String)>>,
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn token(url: &str, fault: Fault, nonce: &str) -> String {
    let key = SigningKey::from_bytes(&if fault == Fault::OtherKey {
        [8; 32]
    } else {
        [7; 32]
    });
    let algorithm = if fault == Fault::NoSignature {
        "none"
    } else {
        "EdDSA"
    };
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let claims = json!({
        "iss": if fault == Fault::OtherIssuer { "http://127.0.0.1:1" } else { url },
        "aud": if fault == Fault::OtherAudience { "another" } else { CLIENT },
        "sub": "person-1",
        "nonce": if fault == Fault::OtherNonce { "another" } else { nonce },
        "exp": if fault == Fault::Expired { now - 600 } else { now + 600 },
        "iat": now,
        "email": "ada@example.org",
        "email_verified": fault != Fault::Unverified,
    });
    let header = json!({ "alg": algorithm, "kid": "one", "typ": "JWT" });
    let signed = format!(
        "{}.{}",
        encode(header.to_string().as_bytes()),
        encode(claims.to_string().as_bytes())
    );
    let signature = if fault == Fault::NoSignature {
        String::new()
    } else {
        encode(&key.sign(signed.as_bytes()).to_bytes())
    };
    format!("{signed}.{signature}")
}

/// Reads a request; returns its first line and its body.
fn read_request(stream: &TcpStream) -> (String, String) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut first, mut n_bytes) = (String::new(), 0);
    reader.read_line(&mut first).unwrap();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(length) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
            n_bytes = length.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; n_bytes];
    reader.read_exact(&mut body).unwrap();
    (first, String::from_utf8(body).unwrap())
}

fn field<'q>(query: &'q str, name: &str) -> &'q str {
    let found = query
        .split(['&', '?', ' '])
        .find_map(|pair| pair.split_once('=').filter(|(known, _)| *known == name));
    found.unwrap_or_else(|| panic!("no {name} in {query}")).1
}

impl Provider {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (fault, asked) = (
            Arc::new(Mutex::new(Fault::None)),
            Arc::new(Mutex::new((String::new(), String::new()))),
        );
        let provider = Self {
            url: url.clone(),
            fault: Arc::clone(&fault),
            asked: Arc::clone(&asked),
        };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let (first, body) = read_request(&stream);
                let answer = match first.split(' ').nth(1).unwrap_or_default() {
                    "/.well-known/openid-configuration" => json!({
                        "issuer": url,
                        "authorization_endpoint": format!("{url}/authorize"),
                        "token_endpoint": format!("{url}/token"),
                        "jwks_uri": format!("{url}/keys"),
                    }),
                    "/keys" => {
                        let key = SigningKey::from_bytes(&[7; 32]).verifying_key();
                        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "one", "alg": "EdDSA", "use": "sig", "x": encode(key.as_bytes()) }] })
                    }
                    "/token" => {
                        let (nonce, challenge) = asked.lock().unwrap().clone();
                        let verifier = Hash::of(field(&body, "code_verifier").as_bytes());
                        // The code is given only to the browser's own server (RFC 7636).
                        assert_eq!(encode(&verifier.0), challenge);
                        json!({ "id_token": token(&url, *fault.lock().unwrap(), &nonce), "token_type": "Bearer" })
                    }
                    other => panic!("the provider was asked for {other}"),
                };
                let answer = answer.to_string();
                write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{answer}",
                    answer.len()
                )
                .unwrap();
            }
        });
        provider
    }
}

/// A browser that keeps cookies.
struct Browser<'s> {
    server: &'s Server,
    cookies: Vec<String>,
}

impl Browser<'_> {
    /// Gets a page; returns its status, where it leads and its text.
    fn open(&mut self, path: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(&self.server.address).unwrap();
        let cookies = self.cookies.join("; ");
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: {cookies}\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, text) = answer.split_once("\r\n\r\n").unwrap();
        let mut leads_to = String::new();
        for line in head.lines() {
            if let Some(cookie) = line
                .to_ascii_lowercase()
                .strip_prefix("set-cookie: ")
                .map(|_| &line["set-cookie: ".len()..])
            {
                assert!(
                    cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"),
                    "{cookie}"
                );
                self.cookies
                    .push(cookie.split(';').next().unwrap().to_owned());
            }
            if line.to_ascii_lowercase().starts_with("location: ") {
                leads_to = line["location: ".len()..].to_owned();
            }
        }
        (
            head.split(' ').nth(1).unwrap().parse().unwrap(),
            leads_to,
            text.to_owned(),
        )
    }

    /// Logs in as the one person there is; returns how the provider's answer is taken.
    fn log_in(&mut self, provider: &Provider) -> (u16, String) {
        let (status, authorize, text) = self.open("/auth/login");
        assert!(
            status == 303 && authorize.starts_with(&provider.url),
            "{status} {authorize} {text}"
        );
        assert_eq!(field(&authorize, "code_challenge_method"), "S256");
        *provider.asked.lock().unwrap() = (
            field(&authorize, "nonce").to_owned(),
            field(&authorize, "code_challenge").to_owned(),
        );
        let (status, _, text) = self.open(&format!(
            "/auth/callback?code=c&state={}",
            field(&authorize, "state")
        ));
        (status, text)
    }
}

fn start(project: &Project, provider: &Provider) -> Server {
    let options = [
        "--oidc-issuer",
        &provider.url,
        "--oidc-client",
        CLIENT,
        "--public-url",
        "http://127.0.0.1:1",
        "--refusals",
        "1000",
    ];
    Server::with(project, &options)
}

#[test]
fn a_known_person_logs_in() {
    let project = Project::new(PIPELINE);
    let provider = Provider::start();
    assert_eq!(
        project
            .veracta(&["user", "add", "ada@example.org", "--role", "engineer"])
            .code,
        0
    );
    let server = start(&project, &provider);
    let mut browser = Browser {
        server: &server,
        cookies: Vec::new(),
    };
    assert_eq!(browser.open("/api/v1/me").0, 401);
    assert_eq!(browser.log_in(&provider).0, 303);
    let (status, _, me) = browser.open("/api/v1/me");
    let me: Value = serde_json::from_str(&me).unwrap();
    assert_eq!(
        (status, &me["name"], &me["factor"]),
        (200, &json!("ada@example.org"), &json!("session"))
    );
    assert_eq!(
        browser.open("/auth/callback?code=c&state=forged").0,
        401,
        "an answer to another log-in"
    );
    drop(server);
    let (_, record) = project.latest("access.log");
    assert!(
        record["action"] == "GET /api/v1/me" || record["action"] == "login",
        "{record}"
    );
    assert_eq!(project.veracta(&["verify"]).code, 0);
}

#[test]
fn who_is_not_proved_to_be_known_is_not_let_in() {
    let project = Project::new(PIPELINE);
    let provider = Provider::start();
    assert_eq!(
        project
            .veracta(&["user", "add", "eve@example.org", "--role", "administrator"])
            .code,
        0
    );
    let server = start(&project, &provider);
    let log_in = |fault: Fault| {
        *provider.fault.lock().unwrap() = fault;
        let mut browser = Browser {
            server: &server,
            cookies: Vec::new(),
        };
        let answer = browser.log_in(&provider);
        assert_eq!(browser.open("/api/v1/me").0, 401, "{fault:?}");
        answer
    };
    let (status, text) = log_in(Fault::None);
    assert!(
        status == 403 && text.contains("no user here"),
        "{status} {text}"
    );
    assert_eq!(
        project
            .veracta(&["user", "add", "ada@example.org", "--role", "viewer"])
            .code,
        0
    );
    for fault in [
        Fault::OtherKey,
        Fault::OtherNonce,
        Fault::OtherAudience,
        Fault::OtherIssuer,
        Fault::Expired,
        Fault::NoSignature,
        Fault::Unverified,
    ] {
        let (status, text) = log_in(fault);
        assert!(
            status == 401 && text.contains("log-in failed"),
            "{fault:?}: {status} {text}"
        );
    }
}
