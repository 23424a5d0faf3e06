//! What is asked about, and how its answers come to be. All of this waits for a node or for files:
//! it runs on threads that may.

use std::path::PathBuf;

use gatewright_diagnosis::{Cause, explained, listed, prediction};
use rmcp::model::JsonObject;
use serde_json::{Value, json};

use crate::cli::{HealthArguments, HealthFormat};
use crate::commands::diagnose::{Diagnosed, diagnosed};
use crate::commands::explain::unknown;
use crate::commands::{health, predict, status, why};
use crate::control_plane::NodeFile;
use crate::evidence_source::Files;
use crate::paint;
use crate::secrets::Cleaner;
use crate::sentence::Sentence;
use crate::settings::AdminAddress;

use super::answer::Answer;
use super::tools::{Kind, OfCause, OfDiagnosis, OfDocument, OfHealth, OfRequest, What, read};

const NARROW_HEALTH: &str = "Name a gateway, a pool or a setting.";
const NARROW_DOCUMENT: &str = "Name a part of it with `pointer`.";
const NARROW_NOTHING: &str = "`gatewright` with -o json prints it whole.";

/// The file of an evidence folder that is the gateway's document.
const GATEWAY: &str = "gateway.json";

#[derive(Debug)]
pub(super) enum Subject {
    Node {
        admin: Option<AdminAddress>,
        data_dir: Option<PathBuf>,
    },
    /// An evidence folder: the one that the server was started with, and no other.
    Folder(PathBuf),
}

impl Subject {
    pub(super) const fn is_node(&self) -> bool {
        matches!(self, Self::Node { .. })
    }

    /// Answers a tool that only reads.
    ///
    /// # Errors
    /// When the arguments are wrong, or what is asked about does not answer.
    pub(super) fn answer(
        &self,
        kind: Kind,
        arguments: Option<JsonObject>,
    ) -> Result<Answer, Sentence> {
        match kind {
            Kind::Health => self.health(read(kind, arguments)?),
            Kind::Diagnose => self.diagnose(read(kind, arguments)?),
            Kind::Why => self.why(&read(kind, arguments)?),
            Kind::Show => self.show(&read(kind, arguments)?),
            Kind::Explain => explain(&read(kind, arguments)?),
            Kind::Predict => self.predict(read(kind, arguments)?),
            Kind::Fix => Err(Sentence::new("`fix` is no question")),
        }
    }

    /// Where the node is asked. It is read anew each time: a node that was started again may have
    /// another address.
    pub(super) fn admin(&self) -> Result<Option<AdminAddress>, Sentence> {
        match self {
            Self::Node { admin, data_dir } => NodeFile::admin_address(*admin, data_dir.as_deref()),
            Self::Folder(_) => Err(Sentence::new(
                "this server answers about an evidence folder, and asks no node",
            )),
        }
    }

    /// The evidence of a gateway. A folder has that of one.
    fn files(&self, gateway: Option<&str>) -> Result<Files, Sentence> {
        match (self, gateway) {
            (Self::Node { .. }, gateway) => {
                Files::of_node(self.admin()?, gateway.unwrap_or_default())
            }
            (Self::Folder(folder), None) => {
                Files::of_folder(folder).map_err(|why| Sentence::new(why.to_string()))
            }
            (Self::Folder(_), Some(_)) => Err(Sentence::new(
                "this server answers about an evidence folder, which is of one gateway; leave \
                 `gateway` away",
            )),
        }
    }

    pub(super) fn diagnosed(&self, gateway: Option<&str>) -> Result<Diagnosed, Sentence> {
        let files = self.files(gateway)?;
        diagnosed(files, &[]).map_err(|why| Sentence::new(why.to_string()))
    }

    fn health(&self, of: OfHealth) -> Result<Answer, Sentence> {
        let report = health::ask(&HealthArguments {
            admin: self.admin()?,
            gateway: of.gateway,
            pool: of.pool,
            setting: of.setting,
            now: false,
            watch: false,
            output: HealthFormat::Table,
        })?;
        Ok(Answer {
            json: report.as_az_prints(),
            text: health::table(&report).join("\n"),
            narrower: NARROW_HEALTH,
        })
    }

    fn diagnose(&self, of: OfDiagnosis) -> Result<Answer, Sentence> {
        let report = self.diagnosed(of.gateway.as_deref())?.report;
        Ok(Answer {
            json: json!(report),
            text: paint::plain(&report.lines(of.explain)),
            narrower: NARROW_NOTHING,
        })
    }

    fn why(&self, of: &OfRequest) -> Result<Answer, Sentence> {
        let admin = self.admin()?;
        let (json, text) = match &of.trace {
            Some(trace) => {
                let story = why::Story::of(admin, trace)?;
                let text = story.text();
                (story.value, text)
            }
            None => {
                let failures = why::failures(admin)?;
                let text = why::listing(&failures, "`why` with a `trace`");
                (json!({"failures": failures}), text)
            }
        };
        Ok(Answer {
            json,
            text,
            narrower: NARROW_NOTHING,
        })
    }

    fn show(&self, of: &OfDocument) -> Result<Answer, Sentence> {
        let what = of.what.unwrap_or(match (self, &of.gateway, &of.pointer) {
            (Self::Node { .. }, None, None) => What::Status,
            _ => What::Gateway,
        });
        match what {
            What::Gateway => self.document(of),
            What::Status if of.gateway.is_some() || of.pointer.is_some() => Err(Sentence::new(
                "the status is of the whole node; leave `gateway` and `pointer` away, or ask for \
                 \"what\": \"gateway\"",
            )),
            What::Status => {
                let report = status::report(self.admin()?)?;
                Ok(Answer {
                    text: status::render(&report).join("\n"),
                    json: report,
                    narrower: NARROW_NOTHING,
                })
            }
        }
    }

    fn document(&self, of: &OfDocument) -> Result<Answer, Sentence> {
        let mut files = self.files(of.gateway.as_deref())?;
        let document = files.json_mut(GATEWAY).map(Value::take);
        let mut document = document.ok_or_else(|| {
            Sentence::new(format!("the evidence folder has no {GATEWAY} that is JSON"))
        })?;
        // That of a node has none; what somebody put into a folder may have any.
        Cleaner::new()?.clean(&mut document);
        let pointer = of.pointer.as_deref().unwrap_or_default();
        let part = document.pointer(pointer).ok_or_else(|| {
            Sentence::new(format!(
                "the document has nothing at '{}'; a JSON pointer is such as \
                 /properties/probes/0/name",
                pointer.escape_debug()
            ))
        })?;
        Ok(Answer {
            text: format!("{part:#}"),
            json: json!({"pointer": pointer, "document": part}),
            narrower: NARROW_DOCUMENT,
        })
    }

    fn predict(&self, of: OfDiagnosis) -> Result<Answer, Sentence> {
        let mut files = self.files(of.gateway.as_deref())?;
        let name = files.json_mut(GATEWAY).map(|document| &document["name"]);
        let name = name.and_then(Value::as_str).unwrap_or("gateway").to_owned();
        let verdict = predict::of_files(files)?;
        Ok(Answer {
            text: paint::plain(&prediction(&name, &verdict, of.explain)),
            json: json!(verdict),
            narrower: NARROW_NOTHING,
        })
    }
}

fn explain(of: &OfCause) -> Result<Answer, Sentence> {
    let Some(typed) = &of.cause else {
        let all = Cause::ALL.iter().map(
            |cause| json!({"code": cause.code(), "name": cause.name(), "means": cause.means()}),
        );
        return Ok(Answer {
            json: json!({"causes": all.collect::<Vec<_>>()}),
            text: listed().trim_end().to_owned(),
            narrower: NARROW_NOTHING,
        });
    };
    let cause = Cause::named(typed).ok_or_else(|| unknown(typed))?;
    let text = explained(cause).trim_end().to_owned();
    Ok(Answer {
        json: json!({
            "code": cause.code(),
            "name": cause.name(),
            "means": cause.means(),
            "page": text,
        }),
        text,
        narrower: NARROW_NOTHING,
    })
}
