//! `gatewright serve`.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use gatewright_dataplane::Bound;
use serde_json::json;

use crate::bindings::short_name;
use crate::cli::ServeArguments;
use crate::control_plane::ControlPlane;
use crate::findings::{errors_last, has_errors};
use crate::node::{Node, Refused};
use crate::output::{self, Format};
use crate::sentence::Sentence;
use crate::settings::Settings;
use crate::status;

/// Threads for everything but traffic.
const CONTROL_THREADS: usize = 2;

/// How long tasks that are still at something get when everything is over.
const END_PATIENCE: Duration = Duration::from_secs(1);

pub(crate) fn run(arguments: ServeArguments) -> Result<ExitCode, Sentence> {
    let settings = Settings::gather(arguments)?;
    with_runtime(async {
        let mut node = Node::start(settings).await?;
        let plane = ControlPlane::open(&mut node).await?;
        let applied = node.apply().await.map_err(tell)?;
        applied.findings.iter().for_each(output::remark);
        let control = match plane {
            Some(plane) => Some(plane.start(&mut node).await?),
            None => None,
        };
        output::line(ready(
            &applied.bound,
            node.admin,
            control,
            node.settings().output,
        ));
        node.run().await;
        Ok(ExitCode::SUCCESS)
    })
}

/// Prepares the process and runs `main` on the threads for everything but traffic.
pub(crate) fn with_runtime<T>(
    main: impl Future<Output = Result<T, Sentence>>,
) -> Result<T, Sentence> {
    // Only fails when it was done before.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(CONTROL_THREADS)
        .thread_name("control")
        .enable_all()
        .build()
        .map_err(|error| Sentence::new(format!("no thread can be started: {error}")))?;
    let result = runtime.block_on(main);
    runtime.shutdown_timeout(END_PATIENCE);
    result
}

/// Every connection needs descriptors: take all that this process may have.
fn raise_descriptor_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, most)| setrlimit(Resource::RLIMIT_NOFILE, most, most));
    if let Err(error) = raised {
        tracing::warn!("the limit of open files cannot be raised: {error}");
    }
}

/// Tells why nothing can be served.
pub(crate) fn tell(refused: Refused) -> Sentence {
    errors_last(&refused.findings).for_each(output::remark);
    Sentence::new(match has_errors(&refused.findings) {
        true => "nothing is served, because of the errors above".to_owned(),
        false => format!("nothing is served: {}", refused.why),
    })
}

/// The one line that says that every listener is bound.
pub(crate) fn ready(
    bound: &[Bound],
    admin: Option<SocketAddr>,
    control: Option<SocketAddr>,
    format: Format,
) -> String {
    match format {
        Format::Json => json!({
            "ready": true,
            "endpoints": bound.iter().map(status::endpoint).collect::<Vec<_>>(),
            "admin": admin.map(|address| address.to_string()),
            "control": control.map(|address| address.to_string()),
        })
        .to_string(),
        Format::Text => {
            let mut parts: Vec<String> = bound.iter().map(place).collect();
            if parts.is_empty() {
                parts.push("no listener".to_owned());
            }
            parts.extend(control.map(|address| format!("control https://{address}")));
            parts.extend(admin.map(|address| format!("admin http://{address}")));
            format!("ready: {}", parts.join(", "))
        }
    }
}

fn place(bound: &Bound) -> String {
    let key = &bound.endpoint;
    format!(
        "{}://{} ({}/{} port {})",
        bound.scheme.as_str(),
        bound.address,
        short_name(key),
        key.frontend,
        key.port
    )
}

#[cfg(test)]
mod tests {
    use gatewright_snapshot::{EndpointKey, Scheme};

    use super::*;

    #[test]
    fn the_ready_line_names_every_address() {
        let bound = [(80, Scheme::Http), (443, Scheme::Https)].map(|(port, scheme)| Bound {
            endpoint: EndpointKey {
                gateway: "/subscriptions/s/contoso".into(),
                frontend: "public".into(),
                port,
            },
            scheme,
            address: SocketAddr::from(([0, 0, 0, 0], port + 8000)),
        });
        let admin = Some("127.0.0.1:9440".parse().unwrap());
        assert_eq!(
            ready(&bound, admin, None, Format::Text),
            "ready: http://0.0.0.0:8080 (contoso/public port 80), \
             https://0.0.0.0:8443 (contoso/public port 443), admin http://127.0.0.1:9440"
        );
        let line = ready(&bound, None, None, Format::Json);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["endpoints"][1]["address"], "0.0.0.0:8443");
        assert_eq!((line.lines().count(), value["admin"].is_null()), (1, true));
        assert_eq!(ready(&[], None, None, Format::Text), "ready: no listener");
    }
}
