//! What a diagnosis says.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;

use crate::cause::{Cause, Owner};
use crate::evidence::Place;
use crate::patch::Patch;

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// It may be so; something else may be it too.
    Possible,
    /// Nothing else explains what is seen as well.
    Likely,
    /// The evidence shows it.
    Certain,
}

impl Confidence {
    pub fn word(self) -> &'static str {
        match self {
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Certain => "certain",
        }
    }
}

/// A fact that speaks for a finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Because {
    pub place: Place,
    /// What stands there.
    pub value: Value,
    /// What it means here.
    pub says: String,
}

/// What mends it.
#[derive(Clone, Debug, PartialEq)]
pub struct Fix {
    pub owner: Owner,
    pub summary: String,
    pub commands: Vec<String>,
    pub risk: String,
    pub verify: Vec<String>,
    /// The same as changes of documents.
    pub patches: Vec<Patch>,
    /// Whether the commands do more than the patches: some need what no document of the evidence
    /// has.
    pub is_partial: bool,
    /// Whether it has the gateway look less closely, or something stand less in the way: nothing to
    /// be done unasked.
    pub weakens: bool,
    /// What the diagnosis says with the patches applied to its evidence; nothing where there are
    /// none.
    pub replay: Option<Replay>,
}

/// What becomes of a cause once a remedy has been applied to the evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// It is not found any more.
    Gone,
    /// Nor is it, once requests and changes that failed before do not count.
    GoneWhenTriedAgain,
    /// It is found still: the remedy is not all that it takes.
    Remains,
}

impl Replay {
    pub fn word(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::GoneWhenTriedAgain => "gone-when-tried-again",
            Self::Remains => "remains",
        }
    }
}

impl Fix {
    /// What applied to the documents does all that the commands do; nothing where there is no such
    /// thing.
    pub fn whole_patches(&self) -> &[Patch] {
        match self.is_partial {
            true => &[],
            false => &self.patches,
        }
    }
}

/// One cause that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub cause: Cause,
    pub confidence: Confidence,
    /// One true sentence.
    pub title: String,
    pub because: Vec<Because>,
    /// The message that other evidence disproves.
    pub contradicts: Option<String>,
    /// Of a prediction, what it takes to be so: a clause.
    pub assumes: Option<String>,
    pub fixes: Vec<Fix>,
}

/// What was checked, and is not the cause.
#[derive(Clone, Debug, PartialEq)]
pub struct RuledOut {
    pub cause: Cause,
    pub because: String,
}

/// A file that would decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    pub file: &'static str,
    pub why: String,
    pub command: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    RootCause,
    Healthy,
    Inconclusive,
}

impl Outcome {
    pub fn word(self) -> &'static str {
        match self {
            Self::RootCause => "root-cause",
            Self::Healthy => "healthy",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// The whole answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub outcome: Outcome,
    /// Seconds since the Unix epoch.
    pub as_of: i64,
    /// The root cause first, where there is one.
    pub findings: Vec<Finding>,
    pub ruled_out: Vec<RuledOut>,
    pub needs: Vec<Need>,
    /// What was asked, seen and concluded, in the order of the walk.
    pub walk: Vec<Step>,
    pub ignored: Vec<String>,
}

/// One question of the walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub asked: &'static str,
    pub seen: String,
    pub therefore: String,
}

impl Serialize for Because {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("file", &self.place.file)?;
        map.serialize_entry("pointer", &self.place.pointer)?;
        map.serialize_entry("value", &self.value)?;
        map.serialize_entry("says", &self.says)?;
        map.end()
    }
}

impl Serialize for Fix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("owner", self.owner.word())?;
        map.serialize_entry("summary", &self.summary)?;
        map.serialize_entry("commands", &self.commands)?;
        map.serialize_entry("risk", &self.risk)?;
        map.serialize_entry("verify", &self.verify)?;
        let patches = self.whole_patches();
        if !patches.is_empty() {
            map.serialize_entry("patch", patches)?;
            map.serialize_entry("replay", &self.replay.map(Replay::word))?;
        }
        map.end()
    }
}

/// How a finding stands in an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rank {
    Primary,
    Further,
    Suppressed,
}

struct Ranked<'a>(&'a Finding, Rank);

impl Serialize for Ranked<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(finding, rank) = self;
        let cause = finding.cause;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("code", cause.code())?;
        map.serialize_entry("category", cause.category())?;
        map.serialize_entry("cause", cause.name())?;
        map.serialize_entry("primary", &(*rank == Rank::Primary))?;
        if *rank == Rank::Suppressed {
            map.serialize_entry("suppressed", &true)?;
        }
        map.serialize_entry("severity", cause.severity().word())?;
        map.serialize_entry("confidence", finding.confidence.word())?;
        map.serialize_entry("layer", cause.layer().word())?;
        map.serialize_entry("title", &finding.title)?;
        map.serialize_entry("because", &finding.because)?;
        map.serialize_entry("contradicts", &finding.contradicts)?;
        if let Some(assumes) = &finding.assumes {
            map.serialize_entry("assumes", assumes)?;
        }
        map.serialize_entry("fix", &finding.fixes)?;
        map.serialize_entry("docs", &format!("docs/findings/{}.md", cause.code()))?;
        map.end()
    }
}

impl Serialize for RuledOut {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("cause", self.cause.name())?;
        map.serialize_entry("because", &self.because)?;
        map.end()
    }
}

impl Serialize for Need {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("file", self.file)?;
        map.serialize_entry("why", &self.why)?;
        map.serialize_entry("command", &self.command)?;
        map.end()
    }
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        entries(self, &[], serializer)
    }
}

/// A verdict with what is suppressed behind its findings.
pub(crate) fn entries<S: Serializer>(
    verdict: &Verdict,
    suppressed: &[&Finding],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let findings = verdict.findings.iter().enumerate();
    let findings = findings.map(|(position, one)| {
        let is_primary = verdict.outcome == Outcome::RootCause && position == 0;
        let rank = if is_primary {
            Rank::Primary
        } else {
            Rank::Further
        };
        Ranked(one, rank)
    });
    let suppressed = suppressed.iter().map(|one| Ranked(one, Rank::Suppressed));
    let findings: Vec<_> = findings.chain(suppressed).collect();
    let mut map = serializer.serialize_map(None)?;
    map.serialize_entry("verdict", verdict.outcome.word())?;
    map.serialize_entry("as_of", &gatewright_chain::date_time(verdict.as_of))?;
    map.serialize_entry("findings", &findings)?;
    map.serialize_entry("ruled_out", &verdict.ruled_out)?;
    map.serialize_entry("needs", &verdict.needs)?;
    map.end()
}
