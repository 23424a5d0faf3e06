//! The authority and the certificate that clients trust: what others than ourselves think of it.

#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

mod house;
mod support;

use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use gatewright_control::Limits;
use house::{House, Running, client_config};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

async fn house(names: &[&str]) -> (House, Running) {
    let mut house = House::new(Limits::default());
    house.names = names.iter().map(|name| (*name).to_owned()).collect();
    let running = house.start().await;
    (house, running)
}

/// `None`, and a word about it, where this machine has no such program.
fn run(program: &str, arguments: &[&str]) -> Option<Output> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) => Some(output),
        Err(error) => {
            println!("skipped: {program}: {error}");
            None
        }
    }
}

fn text(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    String::from_utf8_lossy(out).into_owned() + &String::from_utf8_lossy(err)
}

fn ca_file(house: &House) -> String {
    let path = house.directory.path().join("ca.pem");
    path.to_str().unwrap().to_owned()
}

/// OpenSSL's client, with these arguments more.
fn s_client(running: &Running, ca: &str, more: &[&str]) -> Option<Output> {
    let connect = running.control.address().to_string();
    let mut arguments = vec!["s_client", "-connect", &connect, "-CAfile", ca];
    arguments.extend(["-verify_return_error", "-brief"]);
    arguments.extend(more);
    run("openssl", &arguments)
}

#[tokio::test(flavor = "multi_thread")]
async fn openssl_trusts_it_for_its_names_alone() {
    let (house, running) = house(&["gw.contoso.test", "192.0.2.7"]).await;
    let ca = ca_file(&house);
    for (kind, name, is_good) in [
        ("-verify_hostname", "localhost", true),
        ("-verify_ip", "127.0.0.1", true),
        ("-verify_ip", "::1", true),
        ("-verify_ip", "192.0.2.7", true),
        ("-verify_hostname", "gw.contoso.test", true),
        ("-verify_hostname", "contoso.test", false),
        ("-verify_ip", "192.0.2.8", false),
    ] {
        let arguments = ["-x509_strict", "-purpose", "sslserver", kind, name];
        let Some(output) = s_client(&running, &ca, &arguments) else {
            return;
        };
        assert_eq!(
            output.status.success(),
            is_good,
            "{name}: {}",
            text(&output)
        );
    }
    // Not without the authority.
    let output = s_client(&running, "/dev/null", &["-no-CApath", "-no-CAstore"]).unwrap();
    assert!(!output.status.success(), "{}", text(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn old_protocols_and_others_than_http_1_are_not_spoken() {
    let (house, running) = house(&[]).await;
    let ca = ca_file(&house);
    for (arguments, is_good) in [
        (&["-tls1_2"][..], true),
        (&["-tls1_3"], true),
        (&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], false),
        (&["-tls1", "-cipher", "ALL:@SECLEVEL=0"], false),
        (&["-alpn", "h2"], false),
        (&["-alpn", "h2,http/1.1"], true),
    ] {
        let Some(output) = s_client(&running, &ca, arguments) else {
            return;
        };
        let is_same = output.status.success() == is_good;
        assert!(is_same, "{arguments:?}: {}", text(&output));
    }
    let url = format!("http://{}/metadata/endpoints", running.host());
    let plain = running.api.client.get(url).send().await;
    assert!(plain.is_err(), "{plain:?}");
    running
        .api
        .get("/subscriptions")
        .await
        .expect(reqwest::StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificates_say_what_they_are_for() {
    let (house, running) = house(&[]).await;
    let ca = ca_file(&house);
    let shown = |arguments: &[&str]| run("openssl", arguments).map(|output| text(&output));
    let authority = ["x509", "-in", &ca, "-noout", "-text"];
    let Some(authority) = shown(&authority) else {
        return;
    };
    for expected in [
        "CA:TRUE, pathlen:0",
        "Certificate Sign, CRL Sign",
        "X509v3 Name Constraints: critical",
        "DNS:localhost",
        "IP:127.0.0.1/255.255.255.255",
    ] {
        assert!(authority.contains(expected), "{expected}: {authority}");
    }
    let connect = running.control.address().to_string();
    let handed = run("openssl", &["s_client", "-connect", &connect, "-showcerts"]).unwrap();
    let handed = String::from_utf8_lossy(&handed.stdout).into_owned();
    let begin = handed.find("-----BEGIN").unwrap();
    let file = house.directory.path().join("server.pem");
    std::fs::write(&file, &handed[begin..]).unwrap();
    let server = shown(&["x509", "-in", file.to_str().unwrap(), "-noout", "-text"]).unwrap();
    for expected in [
        "Digital Signature",
        "TLS Web Server Authentication",
        "DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1",
        "X509v3 Authority Key Identifier",
    ] {
        assert!(server.contains(expected), "{expected}: {server}");
    }
    // Go and browsers: not longer than 398 days.
    let in_days = |days: u64| {
        let seconds = (days * 86_400).to_string();
        let path = file.to_str().unwrap();
        let output = run("openssl", &["x509", "-in", path, "-checkend", &seconds]);
        output.unwrap().status.success()
    };
    assert!(in_days(396) && !in_days(397));
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_and_python_trust_it() {
    let (house, running) = house(&[]).await;
    let ca = ca_file(&house);
    for host in ["localhost", "127.0.0.1"] {
        let port = running.control.address().port();
        let url = format!("https://{host}:{port}/metadata/endpoints");
        let curl = [
            "--silent",
            "--show-error",
            "--fail",
            "--noproxy",
            "*",
            "--cacert",
            &ca,
            &url,
        ];
        if let Some(output) = run("curl", &curl) {
            assert!(output.status.success(), "{}", text(&output));
        }
        let script = "import ssl, sys, urllib.request\n\
                      context = ssl.create_default_context(cafile=sys.argv[1])\n\
                      if hasattr(ssl, 'VERIFY_X509_STRICT'):\n    \
                      context.verify_flags |= ssl.VERIFY_X509_STRICT\n\
                      handler = urllib.request.HTTPSHandler(context=context)\n\
                      proxy = urllib.request.ProxyHandler({})\n\
                      opener = urllib.request.build_opener(handler, proxy)\n\
                      print(opener.open(sys.argv[2]).status)\n";
        if let Some(output) = run("python3", &["-c", script, &ca, &url]) {
            assert_eq!(text(&output).trim(), "200");
        }
    }
}

/// Whether a client that trusts this authority shakes hands, and the certificate that it saw.
async fn hands(running: &Running, ca: &[u8]) -> Option<Vec<u8>> {
    let stream = TcpStream::connect(running.control.address()).await.unwrap();
    let connector = TlsConnector::from(Arc::new(client_config(ca)));
    let name = ServerName::try_from("localhost").unwrap();
    let stream = connector.connect(name, stream).await.ok()?;
    let (_, session) = stream.get_ref();
    Some(session.peer_certificates()?[0].to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_makes_a_new_certificate_under_the_same_authority() {
    let (mut house, running) = house(&[]).await;
    let ca = running.ca.clone();
    let first = hands(&running, &ca).await.unwrap();
    let token = running.api.token.clone();
    running.kill();
    let running = house.start().await;
    assert_eq!(running.ca, ca);
    assert_ne!(hands(&running, &ca).await.unwrap(), first);
    running.kill();
    // More names need the new file; the key of tokens is another matter.
    house.names.push("gw.contoso.test".to_owned());
    let running = house.start().await;
    assert_ne!(running.ca, ca);
    assert!(
        hands(&running, &ca).await.is_none(),
        "it cannot vouch for the new name"
    );
    assert!(hands(&running, &running.ca).await.is_some());
    assert_ne!(token, running.api.token);
}
