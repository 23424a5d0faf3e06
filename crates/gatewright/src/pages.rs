//! Custom error pages: fetched once for each URL, and handed to the data plane.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use gatewright_dataplane::Dataplane;
use tokio::task::AbortHandle;

/// Largest page, in bytes: the service's bound.
const PAGE_BYTES_MAX: usize = 1024 * 1024;

/// For the whole of one attempt.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);

/// How long it is waited after each attempt that failed. No attempt follows the last.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(25),
    Duration::from_secs(120),
];

/// The pages of the configured URLs. A page is kept for as long as its URL stays configured.
pub(crate) struct Pages {
    dataplane: Dataplane,
    client: Option<reqwest::Client>,
    fetches: HashMap<String, Fetch>,
}

struct Fetch {
    task: AbortHandle,
    is_fetched: Arc<AtomicBool>,
}

impl Fetch {
    fn has_failed(&self) -> bool {
        self.task.is_finished() && !self.is_fetched.load(Ordering::Acquire)
    }
}

impl Pages {
    pub(crate) fn new(dataplane: Dataplane) -> Self {
        Self {
            dataplane,
            client: None,
            fetches: HashMap::new(),
        }
    }

    /// From now on these are the configured URLs: fetches those that are new or could not be had
    /// before, forgets those that are gone. Must be called within a tokio runtime.
    pub(crate) fn want(&mut self, urls: &BTreeSet<String>) {
        self.fetches.retain(|url, fetch| {
            let is_wanted = urls.contains(url);
            if !is_wanted {
                fetch.task.abort();
            }
            is_wanted && !fetch.has_failed()
        });
        for url in urls {
            if self.fetches.contains_key(url) {
                continue;
            }
            match self.client() {
                Ok(client) => self.start(client, url),
                Err(error) => {
                    tracing::warn!("the error page {url} cannot be fetched: {error}");
                }
            }
        }
    }

    fn client(&mut self) -> Result<reqwest::Client, reqwest::Error> {
        if let Some(client) = &self.client {
            return Ok(client.clone());
        }
        let client = client()?;
        self.client = Some(client.clone());
        Ok(client)
    }

    fn start(&mut self, client: reqwest::Client, url: &str) {
        let is_fetched = Arc::new(AtomicBool::new(false));
        let dataplane = self.dataplane.clone();
        let (url, done) = (url.to_owned(), Arc::clone(&is_fetched));
        let key = url.clone();
        let task = tokio::spawn(async move {
            if let Some(page) = fetch_with_patience(&client, &url).await {
                tracing::info!("fetched the error page {url} ({} bytes)", page.len());
                dataplane.publish_error_page(&url, page);
                done.store(true, Ordering::Release);
            }
        });
        let task = task.abort_handle();
        self.fetches.insert(key, Fetch { task, is_fetched });
    }
}

fn client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .timeout(FETCH_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
}

async fn fetch_with_patience(client: &reqwest::Client, url: &str) -> Option<Bytes> {
    let mut pauses = PAUSES.iter();
    loop {
        let error = match fetch(client, url).await {
            Ok(page) => return Some(page),
            Err(error) => error,
        };
        let Some(pause) = pauses.next() else {
            tracing::warn!(
                "the error page {url} cannot be had ({error}); the gateway's own page is served, \
                 and the next reload tries again"
            );
            return None;
        };
        let seconds = pause.as_secs();
        tracing::warn!("the error page {url} cannot be had ({error}); next try in {seconds} s");
        tokio::time::sleep(*pause).await;
    }
}

/// The body at `url`, or in a clause why there is none.
async fn fetch(client: &reqwest::Client, url: &str) -> Result<Bytes, String> {
    let mut response = client
        .get(url)
        .send()
        .await
        .map_err(|error| explain(&error))?;
    if response.status() != reqwest::StatusCode::OK {
        return Err(format!(
            "it answers {}, and 200 is asked for",
            response.status()
        ));
    }
    let mut page = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| explain(&error))? {
        if page.len() + chunk.len() > PAGE_BYTES_MAX {
            return Err(format!("it is larger than {PAGE_BYTES_MAX} bytes"));
        }
        page.extend_from_slice(&chunk);
    }
    Ok(page.freeze())
}

/// The innermost cause: the outer ones only repeat the URL.
fn explain(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use gatewright_testkit::backend::{Backend, Manners};

    use super::*;

    async fn outcome(manners: Manners) -> Result<Bytes, String> {
        // Another test of this process may have done it before.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let backend = Backend::start(manners).await.unwrap();
        let url = format!("http://{}/502.html", backend.address());
        fetch(&client().unwrap(), &url).await
    }

    #[tokio::test]
    async fn only_a_page_with_status_200_and_of_bounded_size_is_taken() {
        assert_eq!(outcome(Manners::text("sorry")).await.unwrap(), "sorry");
        assert!(
            outcome(Manners::Status(204))
                .await
                .unwrap_err()
                .contains("204")
        );
        assert!(
            outcome(Manners::Status(302))
                .await
                .unwrap_err()
                .contains("302")
        );
        let large = |bytes| Manners::Large {
            bytes,
            chunked: true,
        };
        assert_eq!(
            outcome(large(PAGE_BYTES_MAX as u64)).await.unwrap().len(),
            PAGE_BYTES_MAX
        );
        assert!(
            outcome(large(PAGE_BYTES_MAX as u64 + 1))
                .await
                .unwrap_err()
                .contains("larger")
        );
        assert!(
            outcome(Manners::Refused)
                .await
                .unwrap_err()
                .contains("refused")
        );
    }
}
