//! The tools: their names, what they are for, and what they are asked with.

use std::sync::Arc;

use rmcp::handler::server::common::schema_for_input;
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use rmcp::schemars::{self, JsonSchema};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::sentence::Sentence;

/// Longest text in arguments, in bytes: ids of resources are shorter.
const TEXT_BYTES_MAX: usize = 1_024;

/// Everything that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Health,
    Diagnose,
    Why,
    Show,
    Explain,
    Predict,
    Fix,
}

const ALL: [Kind; 7] = [
    Kind::Health,
    Kind::Diagnose,
    Kind::Why,
    Kind::Show,
    Kind::Explain,
    Kind::Predict,
    Kind::Fix,
];

/// What a server offers, by what it is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offered {
    /// A running node, and not an evidence folder.
    pub(super) is_node: bool,
    pub(super) has_writes: bool,
}

impl Offered {
    pub(super) fn kinds(self) -> impl Iterator<Item = Kind> {
        ALL.into_iter().filter(move |kind| match kind {
            Kind::Health | Kind::Why => self.is_node,
            Kind::Fix => self.is_node && self.has_writes,
            Kind::Diagnose | Kind::Show | Kind::Explain | Kind::Predict => true,
        })
    }

    pub(super) fn named(self, name: &str) -> Option<Kind> {
        self.kinds().find(|kind| kind.name() == name)
    }
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Diagnose => "diagnose",
            Self::Why => "why",
            Self::Show => "show",
            Self::Explain => "explain",
            Self::Predict => "predict",
            Self::Fix => "fix",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Health => "Health of the servers",
            Self::Diagnose => "Root cause of what fails",
            Self::Why => "What became of a request",
            Self::Show => "Status, or a gateway's document",
            Self::Explain => "About a cause",
            Self::Predict => "What will fail as it is written",
            Self::Fix => "Apply the first remedy",
        }
    }

    const fn description(self) -> &'static str {
        match self {
            Self::Health => {
                "Which backend servers of the node's gateways may take traffic, and of each other \
                 one what the last probe saw and what mends it. Sends no probe by itself. Begin \
                 with `diagnose` where something fails: it names the cause."
            }
            Self::Diagnose => {
                "Names the root cause of what fails at a gateway, by its configuration, its \
                 network, the health of its servers and its last requests: the cause's code, what \
                 it follows from, other findings, and the commands that mend it. The verdict is \
                 root-cause, healthy or inconclusive; inconclusive says what evidence is missing."
            }
            Self::Why => {
                "Tells what became of one request of the node, by its trace id: the rule that took \
                 it, the servers that it came to, what they answered, and why it failed. Without a \
                 trace id, lists the last requests that failed, with theirs."
            }
            Self::Show => {
                "Shows the status of the node (what it serves, since when, counts of requests), or \
                 a gateway's document as `az network application-gateway show` prints it, without \
                 secrets; a JSON pointer shows a part of it alone."
            }
            Self::Explain => {
                "Tells of a cause that `diagnose` names, by its code or name: how it shows, what \
                 decides it, and who mends it and how. Without one, lists all causes."
            }
            Self::Predict => {
                "Says what will be unhealthy, unreachable or answered with an error with a gateway \
                 and its network as they are written, without regard to what has been seen of it, \
                 and what that assumes."
            }
            Self::Fix => {
                "Applies the first remedy of the root cause that the node can apply by itself, and \
                 waits until the cause is not found any more, for up to two minutes. Changes the \
                 file, or the stored resource, that the node serves. The user is asked first, with \
                 each change: without that confirmation nothing is changed."
            }
        }
    }

    fn annotations(self) -> ToolAnnotations {
        let own = ToolAnnotations::with_title(self.title()).open_world(false);
        match self {
            // A setting is replaced by another one, so it is not only added to.
            Self::Fix => own.read_only(false).destructive(true).idempotent(false),
            _ => own.read_only(true),
        }
    }

    fn schema(self) -> Result<Arc<JsonObject>, String> {
        match self {
            Self::Health => schema_for_input::<OfHealth>(),
            Self::Diagnose => schema_for_input::<OfDiagnosis>(),
            Self::Why => schema_for_input::<OfRequest>(),
            Self::Show => schema_for_input::<OfDocument>(),
            Self::Explain => schema_for_input::<OfCause>(),
            Self::Predict => schema_for_input::<OfDiagnosis>(),
            Self::Fix => schema_for_input::<OfGateway>(),
        }
    }

    /// As it is listed.
    pub(super) fn tool(self) -> Result<Tool, String> {
        let tool = Tool::new(self.name(), self.description(), self.schema()?);
        let tool = tool.with_title(self.title());
        Ok(tool.with_annotations(self.annotations()))
    }
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct OfHealth {
    /// Of the gateway of this name alone
    #[schemars(length(max = 1024))]
    pub(super) gateway: Option<String>,
    /// Of the backend pool of this name alone
    #[schemars(length(max = 1024))]
    pub(super) pool: Option<String>,
    /// Of the backend setting of this name alone
    #[schemars(length(max = 1024))]
    pub(super) setting: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct OfDiagnosis {
    /// The gateway, by its name or resource id; may be left out where there is one
    #[schemars(length(max = 1024))]
    pub(super) gateway: Option<String>,
    /// Whether the text also shows what was asked, what was seen, and what follows from it
    pub(super) explain: bool,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct OfRequest {
    /// 32 hexadecimal digits: X-AppGw-Trace-Id at the server, transactionId in the access log
    #[schemars(length(max = 1024))]
    pub(super) trace: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum What {
    Status,
    Gateway,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct OfDocument {
    /// The node's status (the default at a node), or a gateway's document
    pub(super) what: Option<What>,
    /// The gateway, by its name or resource id; may be left out where there is one
    #[schemars(length(max = 1024))]
    pub(super) gateway: Option<String>,
    /// The part of the document at this JSON pointer, such as /properties/probes
    #[schemars(length(max = 1024))]
    pub(super) pointer: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct OfCause {
    /// Its code, such as GW-F02, or its name, such as missing-trusted-root
    #[schemars(length(max = 1024))]
    pub(super) cause: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct OfGateway {
    /// The gateway, by its name or resource id; may be left out where there is one
    #[schemars(length(max = 1024))]
    pub(super) gateway: Option<String>,
}

/// The arguments of a call.
///
/// # Errors
/// When they are not as the tool's schema says.
pub(super) fn read<T: DeserializeOwned>(
    kind: Kind,
    arguments: Option<JsonObject>,
) -> Result<T, Sentence> {
    let name = kind.name();
    let arguments = arguments.unwrap_or_default();
    for (key, value) in &arguments {
        let size = value.as_str().map_or(0, str::len).max(key.len());
        if size > TEXT_BYTES_MAX {
            return Err(Sentence::new(format!(
                "an argument of `{name}` has {size} bytes, and at most {TEXT_BYTES_MAX} are taken"
            )));
        }
    }
    serde_json::from_value(Value::Object(arguments)).map_err(|error| {
        Sentence::new(format!(
            "the arguments of `{name}` are not as its schema says: {error}"
        ))
    })
}
