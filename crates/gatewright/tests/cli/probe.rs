//! `gatewright probe`, as a user runs it.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Output;

use gatewright_testkit::backend::{Backend, Manners, TlsManners};
use gatewright_testkit::certificates::{Authority, Identity, Leaf};
use gatewright_testkit::resolver::Resolver;
use gatewright_testkit::situations::{Situation, Surroundings};
use serde_json::Value;

use crate::support::{
    Files, free_port, gateway, item, probe_often, reference, run, set_servers, stderr, stdout,
};

const HOST: &str = "app.contoso.test";

/// `probe URL` with `more` arguments; `path` begins with a slash.
fn probe(scheme: &str, at: SocketAddr, path: &str, more: &[&str]) -> Output {
    run(&[&["probe", &format!("{scheme}://{at}{path}")], more].concat())
}

/// The same as JSON, which must go with the exit status.
fn probe_json(scheme: &str, at: SocketAddr, more: &[&str]) -> Value {
    let output = probe(scheme, at, "/", &[more, &["-o", "json"]].concat());
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", stderr(&output)));
    let code = if report["health"] == "Healthy" { 0 } else { 1 };
    assert_eq!(output.status.code(), Some(code), "{report:#}");
    report
}

async fn polite() -> Backend {
    Backend::start(Manners::text("hello")).await.unwrap()
}

async fn secured(identity: Identity) -> Backend {
    let backend = Backend::with(Manners::text("hello")).tls(TlsManners::new(identity));
    backend.start().await.unwrap()
}

/// Files for `--root`.
struct Roots(tempfile::TempDir);

impl Roots {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_server_is_told_with_its_steps() {
    let backend = polite().await;
    let output = probe("http", backend.address(), "/healthz?deep=1", &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    let port = backend.address().port();
    let request = format!("GET /healthz?deep=1 to port {port}, Host 127.0.0.1");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], format!("http://127.0.0.1:{port}/healthz?deep=1"));
    assert_eq!(lines[1], request);
    assert!(lines[3].starts_with("  TCP   ok    ") && lines[4].starts_with("  HTTP  ok    "));
    assert_eq!(
        lines.last(),
        Some(&"Healthy: Success. Received 200 status code")
    );
    assert!(!text.contains("to do:"), "{text}");
    let seen = &backend.requests()[0];
    assert_eq!(
        (seen.target.as_str(), seen.host()),
        ("/healthz?deep=1", Some("127.0.0.1"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn json_has_the_documented_members() {
    let around = Surroundings::new(HOST);
    let backend = Situation::MissingIntermediate
        .backend(&around)
        .start()
        .await
        .unwrap();
    let files = Roots::new();
    let root = files.write("root.pem", around.root.cert_pem());
    let report = probe_json(
        "https",
        backend.address(),
        &["--host", HOST, "--root", &root],
    );
    assert_eq!(report["health"], "Unhealthy");
    let sentence = "The Intermediate certificate is missing from the certificate chain presented \
                    by the backend server. Ensure the certificate chain is complete and correctly \
                    ordered on the backend server.";
    assert_eq!(report["healthProbeLog"], sentence);
    let name = "IncompleteBackendCertificateChainOnlyLeafCertificateIsPresent";
    assert_eq!(report["healthProbeErrorName"], name);
    let request = &report["request"];
    assert_eq!(
        (&request["host"], &request["sni"]),
        (&HOST.into(), &HOST.into())
    );
    assert_eq!(request["path"], "/");
    assert_eq!(request["port"], backend.address().port());
    let stages = report["stages"].as_array().unwrap();
    let names: Vec<_> = stages
        .iter()
        .map(|one| (&one["name"], &one["ok"]))
        .collect();
    assert_eq!(
        names,
        [
            (&"TCP".into(), &true.into()),
            (&"TLS".into(), &false.into())
        ]
    );
    for stage in stages {
        assert!(
            stage["milliseconds"]
                .as_f64()
                .is_some_and(|spent| spent > 0.0),
            "{stage}"
        );
        assert!(
            stage["detail"]
                .as_str()
                .is_some_and(|detail| !detail.is_empty()),
            "{stage}"
        );
    }
    let certificates = report["certificates"].as_array().unwrap();
    assert_eq!(certificates.len(), 1, "{report:#}");
    let leaf = &certificates[0];
    assert!(leaf["subject"].as_str().unwrap().contains(HOST), "{leaf}");
    assert!(
        leaf["issuer"]
            .as_str()
            .unwrap()
            .contains("Contoso Issuing CA"),
        "{leaf}"
    );
    assert_eq!(leaf["names"], serde_json::json!([HOST]));
    for member in ["notBefore", "notAfter"] {
        let moment = leaf[member].as_str().unwrap();
        assert!(moment.starts_with("20") && moment.ends_with('Z'), "{leaf}");
    }
    assert!(
        leaf["verdict"]
            .as_str()
            .unwrap()
            .contains("was not presented"),
        "{leaf}"
    );
    assert!(
        report["remedy"].as_str().unwrap().contains("intermediate"),
        "{report:#}"
    );

    let report = probe_json("http", polite().await.address(), &[]);
    assert_eq!(
        (&report["health"], &report["remedy"]),
        (&"Healthy".into(), &Value::Null)
    );
    assert_eq!(report["healthProbeErrorName"], "SuccessWithStatusCode");
    assert_eq!(
        (&report["request"]["sni"], &report["status"]),
        (&Value::Null, &200.into())
    );
    assert_eq!(report["certificates"], serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_looked_up_and_asked_for() {
    let names = Resolver::start().await.unwrap();
    names.set(HOST, &[Ipv4Addr::LOCALHOST], 60);
    let backend = polite().await;
    let port = backend.address().port();
    let server = names.address().to_string();
    let url = format!("http://{HOST}:{port}");
    let output = run(&["probe", &url, "--dns", &server, "--path", "/up"]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}{}",
        stdout(&output),
        stderr(&output)
    );
    let text = stdout(&output);
    assert!(text.contains("app.contoso.test is 127.0.0.1"), "{text}");
    let seen = &backend.requests()[0];
    assert_eq!((seen.target.as_str(), seen.host()), ("/up", Some(HOST)));

    // A stand-in needs no name server.
    let map = format!("{HOST}:80={}", backend.address());
    let output = run(&["probe", &format!("http://{HOST}/mapped"), "--map", &map]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}{}",
        stdout(&output),
        stderr(&output)
    );
    let seen = &backend.requests()[1];
    assert_eq!((seen.target.as_str(), seen.host()), ("/mapped", Some(HOST)));

    let output = run(&[
        "probe",
        "http://other.test/",
        "--dns",
        &server,
        "-o",
        "json",
    ]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output), "", "the report says it all");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["healthProbeErrorName"], "HostNameNotResolved");
    assert_eq!(report["stages"][0]["name"], "DNS");
    assert_eq!(report["stages"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn roots_are_trusted_as_files_say() {
    let around = Surroundings::new(HOST);
    let backend = secured(around.good_identity()).await;
    let files = Roots::new();
    let pem = files.write("root.pem", around.root.cert_pem());
    let der = files.write("root.cer", around.root.certificate());
    let other = files.write("other.pem", Authority::new("Fabrikam Root CA").cert_pem());
    let name_of = |roots: &[&str]| {
        let roots = roots.iter().flat_map(|root| ["--root", root]);
        let arguments: Vec<&str> = ["--host", HOST].into_iter().chain(roots).collect();
        let report = probe_json("https", backend.address(), &arguments);
        report["healthProbeErrorName"].as_str().unwrap().to_owned()
    };
    assert_eq!(name_of(&[&pem]), "SuccessWithStatusCode");
    assert_eq!(name_of(&[&der]), "SuccessWithStatusCode");
    assert_eq!(name_of(&[&other, &pem]), "SuccessWithStatusCode");
    assert_eq!(
        name_of(&[&other]),
        "BackendServerCertificateNotTrustedByRootCertificates"
    );
    assert_eq!(
        name_of(&[]),
        "BackendServerCertificateNotTrustedByWellKnownCAs"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_in_the_handshake_is_that_of_the_flags() {
    let around = Surroundings::new("other.contoso.test");
    let backend = secured(around.good_identity()).await;
    let files = Roots::new();
    let root = files.write("root.pem", around.root.cert_pem());
    let sent = |more: &[&str]| {
        backend.forget();
        let arguments = [&["--root", &root], more].concat();
        let report = probe_json("https", backend.address(), &arguments);
        let name = report["healthProbeErrorName"].as_str().unwrap().to_owned();
        (report["request"]["sni"].clone(), name)
    };
    let mismatch = "BackendCertificateCNMismatchWithProbeHostName";
    let success = "SuccessWithStatusCode";
    assert_eq!(sent(&["--host", HOST]), (HOST.into(), mismatch.to_owned()));
    assert_eq!(
        sent(&["--host", HOST, "--sni", "none"]),
        (Value::Null, success.to_owned())
    );
    let own = "other.contoso.test";
    assert_eq!(
        sent(&["--host", HOST, "--sni", own]),
        (own.into(), success.to_owned())
    );
    assert!(
        backend
            .wait_for_handshakes(1, crate::support::PATIENCE)
            .await
    );
    assert_eq!(backend.handshakes()[0].server_name.as_deref(), Some(own));
    // A port belongs into the Host header, and to no certificate.
    let with_port = "other.contoso.test:8443";
    assert_eq!(
        sent(&["--host", with_port]),
        (own.into(), success.to_owned())
    );
    assert_eq!(backend.requests()[0].host(), Some(with_port));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_healthy_answer_is_can_be_said() {
    let backend = Backend::start(Manners::Fixed {
        status: 401,
        headers: Vec::new(),
        body: b"Who are you?".to_vec(),
    });
    let backend = backend.await.unwrap();
    let name_of = |more: &[&str]| {
        let report = probe_json("http", backend.address(), more);
        report["healthProbeErrorName"].as_str().unwrap().to_owned()
    };
    let other_status = "HttpStatusCodeMismatchWithStatusCode";
    assert_eq!(name_of(&[]), other_status);
    assert_eq!(name_of(&["--match", "200-299,400"]), other_status);
    assert_eq!(
        name_of(&["--match", "200-299,401"]),
        "SuccessWithStatusCode"
    );
    let with_body = |body| name_of(&["--match", "401", "--match-body", body]);
    assert_eq!(with_body("are you"), "SuccessWithStatusCode");
    assert_eq!(with_body("Are You"), "HttpResponseBodyMismatch");
}

#[tokio::test(flavor = "multi_thread")]
async fn patience_can_be_said() {
    let around = Surroundings::new(HOST);
    let backend = Situation::Silent.backend(&around).start().await.unwrap();
    let report = probe_json("http", backend.address(), &["--timeout", "1"]);
    assert_eq!(report["healthProbeErrorName"], "Timeout");
    let seen = "the server did not answer within the probe's timeout";
    assert_eq!(report["detail"], seen);
    let spent = report["stages"][1]["milliseconds"].as_f64().unwrap();
    assert!((900.0..10_000.0).contains(&spent), "{report:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn v1_trusts_the_servers_very_certificate() {
    let around = Surroundings::new(HOST);
    let identity = around.good_identity();
    let files = Roots::new();
    let leaf = files.write("leaf.cer", identity.leaf());
    let other = files.write("other.cer", around.good_identity().leaf());
    let root = files.write("root.pem", around.root.cert_pem());
    let backend = secured(identity).await;
    let name_of = |root: &str| {
        let more = ["--sku", "v1", "--root", root];
        let report = probe_json("https", backend.address(), &more);
        assert_eq!(
            report["request"]["sni"],
            Value::Null,
            "the URL has an address"
        );
        report["healthProbeErrorName"].as_str().unwrap().to_owned()
    };
    assert_eq!(name_of(&leaf), "SuccessWithStatusCode");
    assert_eq!(name_of(&other), "BackendServerCertificateNotWhitelisted");
    assert_eq!(name_of(&root), "BackendServerCertificateNotWhitelisted");
}

/// A gateway whose setting speaks HTTPS to two servers, and trusts `root`.
fn tls_gateway(root: &Authority) -> Value {
    let mut document = gateway(free_port());
    let more = serde_json::json!({ "protocol": "Https", "host": HOST, "path": "/healthz" });
    probe_often(&mut document, more);
    set_servers(&mut document, &["10.9.8.7", "10.9.8.8"]);
    let pem = root.cert_pem();
    let data: String = pem
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .collect();
    let entry = item(
        "trustedRootCertificates",
        "root",
        serde_json::json!({ "data": data }),
    );
    let properties = &mut document["properties"];
    properties["trustedRootCertificates"] = serde_json::json!([entry]);
    let setting = &mut properties["backendHttpSettingsCollection"][0]["properties"];
    setting["port"] = 443.into();
    setting["protocol"] = "Https".into();
    setting["trustedRootCertificates"] =
        serde_json::json!([reference("trustedRootCertificates", "root")]);
    document
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_can_be_taken_from_a_gateways_file() {
    let around = Surroundings::new(HOST);
    let good = secured(around.good_identity()).await;
    let bad = Situation::OutOfOrder
        .backend(&around)
        .start()
        .await
        .unwrap();
    let files = Files::new(&tls_gateway(&around.root));
    let (file, maps) = (files.gateway(), [(7, &good), (8, &bad)]);
    let maps = maps.map(|(last, to)| format!("10.9.8.{last}:443={}", to.address()));
    let base = ["probe", "--gateway", &file, "--setting", "SETTING"];
    let mapped = ["--map", &maps[0], "--map", &maps[1]];
    let output = run(&[&base[..], &mapped, &["-o", "json"]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let reports: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let told: Vec<_> = reports
        .iter()
        .map(|one| {
            (
                one["target"].as_str().unwrap(),
                one["healthProbeErrorName"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        (
            "server 10.9.8.7 of pool pool, setting setting",
            "SuccessWithStatusCode",
        ),
        (
            "server 10.9.8.8 of pool pool, setting setting",
            "IncorrectBackendCertificateChainLeafCertificateIsNotTopmostCertificate",
        ),
    ];
    assert_eq!(told, expected);
    let seen = &good.requests()[0];
    assert_eq!(
        (seen.target.as_str(), seen.host()),
        ("/healthz", Some(HOST))
    );
    assert_eq!(seen.server_name.as_deref(), Some(HOST));
    // Flags go before the file.
    let output = run(&[&base[..], &mapped, &["--path", "/other", "--sni", "none"]].concat());
    let text = stdout(&output);
    assert!(
        text.contains("GET /other to port 443, Host app.contoso.test, no TLS name"),
        "{text}"
    );

    let output = run(&["probe", "--gateway", &file, "--setting", "other"]);
    assert_eq!(output.status.code(), Some(1));
    let expected = format!(
        "error: no rule of {file} leads to a server under a backend setting 'other'; there are \
         'setting'\n"
    );
    assert_eq!(stderr(&output), expected);
}

#[test]
fn what_cannot_be_probed_is_told_in_a_sentence() {
    let files = Roots::new();
    let (missing, text) = (
        files.0.path().join("none.pem"),
        files.write("text.pem", "hello"),
    );
    let missing = missing.display().to_string();
    let url = "https://127.0.0.1:1/";
    let gateway_file = Files::new(&gateway(80));
    let file = gateway_file.gateway();
    let cases: &[(&[&str], &str)] = &[
        (&[], "what is to be probed? give a URL such as"),
        (&["ftp://a.test/"], "'ftp' is neither http nor https"),
        (&["10.0.0.4:80"], "is no URL to probe"),
        (&["http://u:p@a.test/"], "probes have no credentials"),
        (&[url, "--gateway", &file], "give one of them"),
        (
            &[url, "--setting", "s"],
            "give --gateway FILE in place of the URL",
        ),
        (&["--gateway", &file], "name one with --setting NAME"),
        (
            &["--gateway", &missing, "--setting", "s"],
            "the gateway cannot be read",
        ),
        (&[url, "--host", "a b"], "'a b' is no host"),
        (&[url, "--sni", "a b"], "'a b' is no TLS name"),
        (&[url, "--sni", ""], "'' is no TLS name"),
        (&[url, "--path", "healthz"], "'healthz' is no path"),
        (&[url, "--path", "/a b"], "'/a b' is no path"),
        (&[url, "--timeout", "0"], "give --timeout 1 to 86400"),
        (&[url, "--timeout", "86401"], "give --timeout 1 to 86400"),
        (&[url, "--match", "20x"], "'20x' are no status codes"),
        (&[url, "--root", &missing], "the certificate file"),
        (&[url, "--root", &text], "the certificate file"),
    ];
    for (arguments, expected) in cases {
        let output = run(&[&["probe"], *arguments].concat());
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
        assert_eq!(stdout(&output), "", "{arguments:?}");
        assert!(
            text.starts_with("error: ") && text.contains(expected),
            "{arguments:?}: {text}"
        );
        assert_eq!(text.lines().count(), 1, "{arguments:?}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_says_which_names_there_are_and_what_to_do() {
    let root = Authority::new("Contoso Root CA");
    let backend = secured(root.issue(Leaf::named("shop.contoso.test"))).await;
    let files = Roots::new();
    let pem = files.write("root.pem", root.cert_pem());
    let output = probe(
        "https",
        backend.address(),
        "/",
        &["--host", HOST, "--root", &pem],
    );
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    let seen = "is for shop.contoso.test; the name asked for was app.contoso.test";
    assert_eq!(text.matches(seen).count(), 1, "{text}");
    assert!(
        text.contains("\n       [!] what TLS failed of, above\n"),
        "{text}"
    );
    assert!(text.contains("\nto do: "), "{text}");
    let output = probe("https", backend.address(), "/", &["--root", &pem]);
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    assert!(text.contains(", no TLS name\n"), "{text}");
    assert!(text.contains("\n       nothing wrong\n"), "{text}");
}
