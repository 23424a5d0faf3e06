//! Exchanges as the recorder of the service's own client tests (vcr) writes them.

use std::path::Path;

use saphyr::{LoadableYamlNode, Yaml};
use serde_json::Value;

/// Where the service was recorded.
pub(crate) const SERVICE: &str = "https://management.azure.com";

/// One request, and what the service answered.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    /// Its place in the file, from 0.
    pub(crate) number: usize,
    pub(crate) method: String,
    /// Path and query; whole, with the scheme, where another service was asked.
    pub(crate) target: String,
    pub(crate) body: String,
    pub(crate) answer: Answer,
}

/// An answer, of the service or ours.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    /// 0 where none was written down: what the rest needs, and is not itself compared.
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Exchange {
    /// Without the query.
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Whether the control plane was asked, and not, say, a vault.
    pub(crate) fn is_ours(&self) -> bool {
        self.target.starts_with('/')
    }

    /// Whether this asks for what that asked for.
    pub(crate) fn repeats(&self, other: &Self) -> bool {
        self.method == "GET" && other.method == "GET" && plain(&self.target) == plain(&other.target)
    }

    /// The next page of a list.
    pub(crate) fn is_next_page(&self) -> bool {
        self.target.contains("$skiptoken=")
    }
}

/// A target without the signature that links of operations carry, a new one in each answer.
pub(crate) fn plain(target: &str) -> &str {
    target.split("&t=").next().unwrap_or_default()
}

/// Whether a link leads to an operation, or to its result.
pub(crate) fn is_operation(link: &str) -> bool {
    let path = link.split('?').next().unwrap_or_default();
    let above = path.rsplit('/').nth(1).unwrap_or_default();
    above.to_ascii_lowercase().starts_with("operation")
}

/// Headers that lead to operations.
pub(crate) const LINKS: [&str; 2] = ["azure-asyncoperation", "location"];

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The path of the operation that a header leads to.
    pub(crate) fn link(&self, name: &str) -> Option<&str> {
        let link = self.header(name).filter(|link| is_operation(link))?;
        let path = link.strip_prefix(SERVICE).unwrap_or(link);
        path.split('?').next()
    }

    pub(crate) fn leads_to(&self, path: &str) -> bool {
        LINKS.iter().any(|name| self.link(name) == Some(path))
    }

    /// The body, where it is JSON.
    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_str(&self.body).ok()
    }

    /// The state that the body says the resource, or the operation, is in.
    pub(crate) fn state(&self) -> Option<String> {
        let body = self.json()?;
        let state = body
            .pointer("/properties/provisioningState")
            .or_else(|| body.get("status"))?;
        state.as_str().map(str::to_owned)
    }

    /// Whether an operation goes on, as far as this answer knows.
    pub(crate) fn goes_on(&self) -> bool {
        const GOING_ON: [&str; 6] = [
            "Updating",
            "Deleting",
            "InProgress",
            "Running",
            "Accepted",
            "Created",
        ];
        let state = self.state();
        state.is_some_and(|state| GOING_ON.contains(&state.as_str()))
    }
}

/// The exchanges of a file, in its order.
pub(crate) fn read(path: &Path) -> Vec<Exchange> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let documents =
        Yaml::load_from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let list = documents[0].as_mapping_get("interactions").unwrap();
    let list = list.as_vec().unwrap().iter().enumerate();
    let mut exchanges: Vec<Exchange> = list.map(|(number, one)| exchange(number, one)).collect();
    name_deployments(&mut exchanges);
    exchanges
}

/// The name that the recorder gave all deployments, but only where they were asked for.
const DEPLOYMENT: &str = "mock-deployment";

/// Gives them the names back that answers tell.
fn name_deployments(exchanges: &mut [Exchange]) {
    let mut current = DEPLOYMENT.to_owned();
    for exchange in exchanges {
        let body = exchange.answer.json().unwrap_or_default();
        if body["type"] == "Microsoft.Resources/deployments" {
            current = body["name"].as_str().unwrap_or(DEPLOYMENT).to_owned();
        }
        exchange.target = exchange.target.replace(DEPLOYMENT, &current);
    }
}

fn exchange(number: usize, one: &Yaml<'_>) -> Exchange {
    let request = one.as_mapping_get("request").unwrap();
    let uri = text(request, "uri");
    Exchange {
        number,
        method: text(request, "method"),
        target: uri.strip_prefix(SERVICE).unwrap_or(&uri).to_owned(),
        body: text(request, "body"),
        answer: match one.as_mapping_get("response") {
            Some(response) => answer(response),
            None => Answer::default(),
        },
    }
}

fn answer(response: &Yaml<'_>) -> Answer {
    let body = response.as_mapping_get("body").unwrap();
    let status = response.as_mapping_get("status").unwrap();
    let code = status.as_mapping_get("code").and_then(Yaml::as_integer);
    Answer {
        status: code.and_then(|code| code.try_into().ok()).unwrap(),
        headers: headers(response),
        body: text(body, "string"),
    }
}

/// A text; empty where there is none.
fn text(parent: &Yaml<'_>, name: &str) -> String {
    let member = parent.as_mapping_get(name).and_then(Yaml::as_str);
    member.unwrap_or_default().to_owned()
}

fn headers(response: &Yaml<'_>) -> Vec<(String, String)> {
    let headers = response
        .as_mapping_get("headers")
        .and_then(Yaml::as_mapping);
    let mut all = Vec::new();
    for (name, values) in headers.into_iter().flatten() {
        for value in values.as_vec().into_iter().flatten() {
            let (name, value) = (name.as_str().unwrap(), value.as_str().unwrap_or_default());
            all.push((name.to_ascii_lowercase(), value.to_owned()));
        }
    }
    all
}
