//! Connections under TLS: with the right certificate, and not without.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use test_services::Postgres;

use crate::project::{PIPELINE, Project, answer};
use crate::server::Server;

/// Asks for a path under TLS, trusting one certificate.
fn get(address: &str, path: &str, trusted: CertificateDer<'static>) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
    let connection =
        ClientConnection::new(config, ServerName::try_from("localhost").unwrap()).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(address)?);
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn a_server_answers_under_tls_only() {
    let project = Project::new(PIPELINE);
    let [own, other] =
        [(); 2].map(|()| rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap());
    project.write("server.pem", own.cert.pem());
    project.write("server.key", own.signing_key.serialize_pem());
    let server = Server::with(
        &project,
        &["--tls-certificate", "server.pem", "--tls-key", "server.key"],
    );
    let answer = get(&server.address, "/healthz", own.cert.der().clone()).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok\n"),
        "{answer}"
    );
    let error = get(&server.address, "/healthz", other.cert.der().clone()).unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    let plain = crate::server::send_to(
        &server.address,
        None,
        ("GET", "/healthz", "text/plain"),
        b"",
    );
    assert!(plain.is_err(), "plain HTTP is not answered: {plain:?}");
    // A client that says nothing keeps nobody else waiting.
    let _silent = TcpStream::connect(&server.address).unwrap();
    assert!(
        get(&server.address, "/checkpoint", own.cert.der().clone())
            .unwrap()
            .starts_with("HTTP/1.1 200")
    );
}

#[test]
fn a_certificate_that_does_not_fit_is_refused() {
    let project = Project::new(PIPELINE);
    let [own, other] =
        [(); 2].map(|()| rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap());
    project.write("server.pem", own.cert.pem());
    project.write("other.key", other.signing_key.serialize_pem());
    let serve = |certificate: &str, key: &str| {
        project.veracta(&[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--tls-certificate",
            certificate,
            "--tls-key",
            key,
        ])
    };
    for (certificate, key, named) in [
        ("server.pem", "other.key", "server.pem"),
        ("none.pem", "other.key", "none.pem"),
        ("server.pem", "server.pem", "server.pem"),
    ] {
        let answer = serve(certificate, key);
        assert!(
            answer.code == 2 && answer.err.contains(named),
            "{certificate} {key}: {answer:?}"
        );
    }
}

#[test]
fn a_database_under_tls_is_checked() {
    let mut postgres = Postgres::start().unwrap();
    let [own, other] =
        [(); 2].map(|()| rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap());
    postgres
        .require_tls(&own.cert.pem(), &own.signing_key.serialize_pem())
        .unwrap();
    let project = Project::empty();
    project.write("own.pem", own.cert.pem());
    project.write("other.pem", other.cert.pem());
    let init = |url: &str, roots: &str| {
        answer(
            project
                .program()
                .args(["init", "--store", url])
                .env("PGSSLROOTCERT", roots),
        )
    };
    let (plain, tls) = (
        postgres.url("postgres"),
        format!("{}?sslmode=require", postgres.url("postgres")),
    );
    for (url, roots) in [
        (&plain, "own.pem"),
        (&tls, "other.pem"),
        (&tls, "none.pem"),
        (&tls, ""),
    ] {
        let refused = init(url, roots);
        assert_eq!(refused.code, 2, "{url} {roots}: {refused:?}");
    }
    let begun = init(&tls, "own.pem");
    assert_eq!(begun.code, 0, "{begun:?}");
    let verified = answer(
        project
            .program()
            .args(["verify", "--store", &tls])
            .env("PGSSLROOTCERT", "own.pem"),
    );
    assert_eq!(verified.code, 0, "{verified:?}");
}
