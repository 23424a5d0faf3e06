//! The answer as JUnit's XML, which most systems of continuous integration show.
//!
//! Each cause that something is known of is a test: one that was found has failed, one that was
//! ruled out has passed, and one that is only possible, or suppressed, was skipped. Whether the
//! evidence decides is a test too; where it does not, it has an error that says what would.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::{Report, is_established, text, visible, whole};
use crate::cause::Cause;
use crate::finding::{Finding, Outcome};

const SUITE: &str = "gatewright diagnose";

/// What became of a test.
enum Became {
    Passed(String),
    Failed(Vec<String>, String),
    Skipped(String),
    /// With what would decide.
    Undecided(String),
}

struct Test {
    class: String,
    name: String,
    became: Became,
}

impl Report {
    /// JUnit's XML, with an end of line.
    ///
    /// # Errors
    ///
    /// None that memory does not make.
    pub fn junit(&self) -> io::Result<String> {
        let tests = self.tests();
        let count = |is_it: fn(&Became) -> bool| {
            let tests = tests.iter().filter(|test| is_it(&test.became));
            tests.count().to_string()
        };
        let totals = [
            ("name", SUITE.to_owned()),
            ("tests", tests.len().to_string()),
            ("failures", count(|it| matches!(it, Became::Failed(..)))),
            ("errors", count(|it| matches!(it, Became::Undecided(_)))),
            ("skipped", count(|it| matches!(it, Became::Skipped(_)))),
            ("time", "0".to_owned()),
        ];
        let moment = gatewright_chain::date_time(self.verdict.as_of);
        let moment = ("timestamp", moment.trim_end_matches('Z'));
        let totals = || totals.iter().map(|(name, value)| (*name, value.as_str()));
        let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
        writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        let suites = writer.create_element("testsuites");
        suites
            .with_attributes(totals())
            .write_inner_content(|writer| {
                let suite = writer.create_element("testsuite");
                let suite = suite.with_attributes(totals()).with_attribute(moment);
                suite.write_inner_content(|writer| {
                    tests.iter().try_for_each(|one| one.write(writer))
                })?;
                Ok(())
            })?;
        let mut bytes = writer.into_inner();
        bytes.push(b'\n');
        String::from_utf8(bytes).map_err(io::Error::other)
    }

    /// In the order of the causes' codes, so that a cause keeps its place from run to run.
    fn tests(&self) -> Vec<Test> {
        let became = match self.verdict.outcome {
            Outcome::Inconclusive => Became::Undecided(self.lacking()),
            _ => Became::Passed(self.sentence().to_owned()),
        };
        let decides = Test {
            class: "gatewright.diagnose".to_owned(),
            name: "the evidence decides".to_owned(),
            became,
        };
        let known = Cause::ALL.iter().filter_map(|cause| {
            Some(Test {
                class: format!("gatewright.diagnose.{}", cause.layer().word()),
                name: format!("{} {}", cause.code(), cause.name()),
                became: self.became(*cause)?,
            })
        });
        std::iter::once(decides).chain(known).collect()
    }

    /// What became of a cause; `None` where nothing is known of it.
    fn became(&self, cause: Cause) -> Option<Became> {
        let findings = self.verdict.findings.iter();
        let findings: Vec<&Finding> = findings.filter(|one| one.cause == cause).collect();
        let mut suppressed = self.suppressed.iter();
        let mut ruled_out = self.verdict.ruled_out.iter();
        if let Some(worst) = findings.iter().find(|one| is_established(one)) {
            let texts = findings.iter().map(|one| described(one)).collect();
            Some(Became::Failed(texts, worst.title.clone()))
        } else if let Some(one) = findings.first() {
            Some(Became::Skipped(format!("only possible: {}", one.title)))
        } else if let Some(one) = suppressed.find(|one| one.finding.cause == cause) {
            let title = &one.finding.title;
            Some(Became::Skipped(format!(
                "suppressed by {}: {title}",
                one.by
            )))
        } else {
            let found = ruled_out.find(|one| one.cause == cause)?;
            Some(Became::Passed(found.because.clone()))
        }
    }

    fn lacking(&self) -> String {
        let needs = self.verdict.needs.iter().map(|need| {
            let why = visible(&need.why);
            format!("{}: {why}\n  {}", need.file, whole(&need.command))
        });
        needs.collect::<Vec<_>>().join("\n")
    }
}

/// A finding in lines.
fn described(finding: &Finding) -> String {
    let lines = text::of_finding(finding).into_iter();
    let lines = lines.map(|line| line.text).collect::<Vec<_>>();
    format!("{}\n{}", visible(&finding.title), lines.join("\n"))
}

impl Test {
    fn write(&self, writer: &mut Writer<Vec<u8>>) -> io::Result<()> {
        let case = writer.create_element("testcase").with_attributes([
            ("classname", self.class.as_str()),
            ("name", self.name.as_str()),
            ("time", "0"),
        ]);
        case.write_inner_content(|writer| {
            match &self.became {
                Became::Passed(because) => {
                    let because = visible(because);
                    let out = writer.create_element("system-out");
                    out.write_text_content(BytesText::new(&because))?;
                }
                Became::Failed(texts, title) => {
                    let failure = writer.create_element("failure");
                    let failure = failure.with_attribute(("message", visible(title)));
                    let failure = failure.with_attribute(("type", self.name.as_str()));
                    failure.write_text_content(BytesText::new(&texts.join("\n\n")))?;
                }
                Became::Skipped(why) => {
                    let skipped = writer.create_element("skipped");
                    skipped
                        .with_attribute(("message", visible(why)))
                        .write_empty()?;
                }
                Became::Undecided(needs) => {
                    let message = "This evidence does not decide why requests fail.";
                    let error = writer.create_element("error");
                    let error = error.with_attribute(("message", message));
                    let error = error.with_attribute(("type", "inconclusive"));
                    error.write_text_content(BytesText::new(needs))?;
                }
            }
            Ok(())
        })?;
        Ok(())
    }
}
