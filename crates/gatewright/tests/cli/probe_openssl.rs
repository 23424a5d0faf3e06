//! `gatewright probe` against a server and certificates that are none of ours: the openssl
//! command's.

use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::{free_port, run, stderr, wait_until};

const HOST: &str = "app.contoso.test";

/// For `openssl req` and `openssl ca`, whatever the system's own configuration says.
const CONFIGURATION: &str = "\
[req]
distinguished_name = any
prompt = no
[any]
commonName = supplied
[ca]
default_ca = own
[own]
database = index.txt
serial = serial
new_certs_dir = .
default_md = sha256
default_days = 30
unique_subject = no
policy = any
[root]
basicConstraints = critical,CA:TRUE
[named]
subjectAltName = DNS:app.contoso.test
[nameless]
basicConstraints = CA:FALSE
";

/// An authority of openssl's in a folder.
struct Workshop(tempfile::TempDir);

impl Workshop {
    /// `None`, which is told, where this machine has no openssl.
    fn new() -> Option<Self> {
        let version = Command::new("openssl").arg("version").output();
        if let Err(error) = version {
            skipped(&format!("openssl does not run ({error})"));
            return None;
        }
        let workshop = Self(tempfile::tempdir().unwrap());
        let write = |name: &str, text: &str| std::fs::write(workshop.path().join(name), text);
        write("own.cnf", CONFIGURATION).unwrap();
        write("index.txt", "").unwrap();
        write("serial", "01\n").unwrap();
        workshop.openssl(
            "req -x509 -newkey rsa:2048 -nodes -config own.cnf -extensions root -days 30 \
             -subj /CN=Contoso_Root -keyout root.key -out root.pem",
        );
        workshop.openssl(&format!(
            "req -new -newkey rsa:2048 -nodes -config own.cnf -subj /CN={HOST} -keyout leaf.key \
             -out leaf.csr"
        ));
        Some(workshop)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn openssl(&self, arguments: &str) {
        let output = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(self.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments}: {}", stderr(&output));
    }

    /// Signs a certificate with the extensions of this section and these options, and serves it.
    fn serve(&self, section: &str, subject: &str, options: &str) -> Server {
        self.openssl(&format!(
            "ca -batch -config own.cnf -cert root.pem -keyfile root.key -in leaf.csr \
             -out leaf.pem -notext -extensions {section} -subj {subject} {options}"
        ));
        Server::start(self.path())
    }

    /// Probes `server` for [`HOST`], with the workshop's root.
    fn probe(&self, server: &Server) -> Value {
        let url = format!("https://127.0.0.1:{}/", server.port);
        let root = self.path().join("root.pem").display().to_string();
        let output = run(&["probe", &url, "--host", HOST, "--root", &root, "-o", "json"]);
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", stderr(&output)));
        let code = if report["health"] == "Healthy" { 0 } else { 1 };
        assert_eq!(output.status.code(), Some(code), "{report:#}");
        report
    }
}

/// A running `openssl s_server`. Killed when dropped.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(folder: &Path) -> Self {
        let port = free_port();
        let child = Command::new("openssl")
            .args(["s_server", "-accept", &format!("127.0.0.1:{port}"), "-www"])
            .args(["-cert", "leaf.pem", "-key", "leaf.key", "-quiet"])
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { child, port };
        wait_until("openssl listens", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

#[test]
fn certificates_of_openssl_are_told_as_what_they_are() {
    let Some(workshop) = Workshop::new() else {
        return;
    };
    let subject = format!("/CN={HOST}");
    let good = workshop.serve("named", &subject, "");
    let report = workshop.probe(&good);
    assert_eq!(report["health"], "Healthy", "{report:#}");
    assert_eq!(report["certificates"][0]["verdict"], "nothing wrong");

    let past = "-startdate 20200101000000Z -enddate 20200201000000Z";
    let expired = workshop.serve("named", &subject, past);
    let report = workshop.probe(&expired);
    assert_eq!(
        report["healthProbeErrorName"],
        "BackendServerCertificateExpired"
    );
    let certificate = &report["certificates"][0];
    assert_eq!(certificate["notAfter"], "2020-02-01T00:00:00Z");
    let verdict = certificate["verdict"].as_str().unwrap();
    assert!(
        verdict.contains("expired on 2020-02-01T00:00:00Z"),
        "{verdict}"
    );

    let nameless = workshop.serve("nameless", "/CN=A_Server", "");
    let report = workshop.probe(&nameless);
    let name = "BackendCertificateCNMismatchWithProbeHostName";
    assert_eq!(report["healthProbeErrorName"], name, "{report:#}");
    let detail = report["detail"].as_str().unwrap();
    assert!(
        detail.contains("the name asked for was app.contoso.test"),
        "{detail}"
    );
}
