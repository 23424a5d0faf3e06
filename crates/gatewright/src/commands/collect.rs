//! `gatewright collect`: what is worth knowing of a gateway in trouble, by the user's own az, into
//! a folder that `gatewright diagnose` reads.
//!
//! Nothing is changed, and no secret is written: see [`verbs`] and [`crate::secrets`].

mod az;
mod files;
mod folder;
mod interrupt;
mod network;
mod picture;
mod reason;
mod record;
mod rounds;
mod subject;
mod verbs;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::{AzArguments, CollectArguments, DiagnoseArguments};
use crate::commands::az_setup::quoted;
use crate::commands::diagnose::Judgement;
use crate::exit::{self, Refused};
use crate::interrupt::Pending;
use crate::output;
use crate::secrets::Cleaner;
use crate::sentence::Sentence;
use crate::times;
use az::{Answer, Az, Run};
use files::files;
pub(crate) use folder::Folder;
use folder::NoFolder;
use interrupt::Running;
use picture::{Picture, Question};
use record::RECORD;
use rounds::Wish;
use subject::Subject;

/// How long a command may take, in seconds, where the user says nothing.
const LIMIT_SECONDS: u32 = 60;

/// Names another az than that on the PATH.
const PROGRAM: &str = "GATEWRIGHT_AZ";

impl From<NoFolder> for Refused {
    fn from(none: NoFolder) -> Self {
        match none {
            NoFolder::Taken(sentence) => Self(exit::USAGE, sentence),
            NoFolder::Unwritable(sentence) => Self(exit::UNWRITABLE, sentence),
        }
    }
}

pub(crate) fn run(arguments: &CollectArguments) -> Result<ExitCode, Sentence> {
    let wish = Wish::new(&arguments.resource_group, &arguments.name, &arguments.az);
    let out = Some(arguments.out.as_path());
    match collect(wish, &arguments.az, out, arguments.force) {
        Ok(collected) => {
            collected.tell();
            Ok(ExitCode::SUCCESS)
        }
        Err(refused) => Ok(refused.tell()),
    }
}

/// Collects, and then judges the folder: its exit status is that of the judgement. A temporary
/// folder stays, and is named, unless the judgement is that all is well or that a cause was found.
pub(crate) fn then(
    arguments: &DiagnoseArguments,
    judge: impl FnOnce(&Path) -> Result<Judgement, Sentence>,
) -> Result<ExitCode, Sentence> {
    let (Some(group), Some(name)) = (&arguments.resource_group, &arguments.name) else {
        let needed = "--evidence DIR, or --azure -g RG -n GW, is needed";
        return Ok(Refused(exit::USAGE, Sentence::new(needed)).tell());
    };
    let wish = Wish::new(group, name, &arguments.az);
    let out = arguments.out.as_deref();
    let collected = match collect(wish, &arguments.az, out, arguments.force) {
        Ok(collected) => collected,
        Err(refused) => return Ok(refused.tell()),
    };
    let folder = collected.folder;
    let judged = judge(folder.path());
    let is_decided = judged.as_ref().is_ok_and(|one| one.is_decided);
    if !(folder.is_temporary() && is_decided) {
        let place = folder.keep();
        let place = quoted(&place.display().to_string());
        output::remark(format_args!(
            "the evidence is in {place}; with what is added there, ask again: gatewright diagnose \
             --evidence {place}"
        ));
    }
    judged.map(|one| one.status)
}

/// A folder with evidence.
#[derive(Debug)]
pub(crate) struct Collected {
    pub(crate) folder: Folder,
    files: Vec<String>,
    /// How many questions were asked, and how many of them have no answer.
    asked: usize,
    failed: usize,
    /// What a signal does meanwhile.
    _interrupted: Pending,
}

impl Collected {
    fn tell(&self) {
        let place = quoted(&self.folder.path().display().to_string());
        output::line(format_args!("{place} holds {}", self.files.join(", ")));
        let asked = self.asked;
        match self.failed {
            0 => {}
            1 => output::line(format_args!(
                "1 of {asked} questions has no answer: {RECORD} says why"
            )),
            failed => output::line(format_args!(
                "{failed} of {asked} questions have no answer: {RECORD} says why"
            )),
        }
        output::line(format_args!("next: gatewright diagnose --evidence {place}"));
    }
}

/// Collects into a folder, or into a temporary one. Says on standard error what is run, and what
/// has no answer.
fn collect(
    wish: Wish,
    az: &AzArguments,
    out: Option<&Path>,
    force: bool,
) -> Result<Collected, Refused> {
    let folder = out.map_or_else(Folder::temporary, |path| Folder::at(path, force))?;
    let mut collection = Collection::new(wish, az)?;
    let temporary = folder.is_temporary().then(|| folder.path().to_owned());
    let interrupted = collection.az.running.end_with_program(temporary);
    let question = collection.wish.gateway();
    let mut runs = collection.ask(vec![question]);
    let Some((question, run)) = runs.pop() else {
        return Err(Refused(
            exit::UNAVAILABLE,
            Sentence::new("nothing was asked"),
        ));
    };
    let (subject, gateway) = collection.gateway(&question, run)?;
    let mut picture = Picture {
        subject,
        gateway,
        answers: Vec::new(),
        remarks: Vec::new(),
    };
    let rounds = [Wish::first_round, Wish::second_round, Wish::third_round];
    for round in rounds {
        let questions = round(&collection.wish, &mut picture);
        collection.round(questions, &mut picture);
    }
    collection.write(folder, picture, interrupted)
}

/// A collection that goes on.
struct Collection {
    az: Az,
    wish: Wish,
    cleaner: Cleaner,
    /// What was run, for the record.
    commands: Vec<Value>,
    failed: usize,
}

impl Collection {
    fn new(wish: Wish, az: &AzArguments) -> Result<Self, Refused> {
        let named = az.az.clone().or_else(|| {
            let named = std::env::var_os(PROGRAM).filter(|name| !name.is_empty());
            named.map(PathBuf::from)
        });
        let seconds = az.az_timeout.unwrap_or(LIMIT_SECONDS);
        Ok(Self {
            az: Az {
                program: named.unwrap_or_else(|| PathBuf::from("az")),
                limit: Duration::from_secs(u64::from(seconds)),
                running: Running::default(),
            },
            wish,
            cleaner: Cleaner::new().map_err(|sentence| Refused(exit::UNAVAILABLE, sentence))?,
            commands: Vec::new(),
            failed: 0,
        })
    }

    /// Runs the commands of a round, and notes them in the order of the questions.
    fn ask(&mut self, questions: Vec<Question>) -> Vec<(Question, Run)> {
        let calls: Vec<_> = questions.iter().map(|question| &question.call).collect();
        let runs = self.az.run_all(&calls, &|command| output::remark(command));
        let runs: Vec<_> = questions.into_iter().zip(runs).collect();
        for (question, run) in &runs {
            let told = record::command(question, run, &self.cleaner);
            self.commands.push(told);
        }
        runs
    }

    /// The gateway itself, without which nothing else is asked.
    fn gateway(&self, question: &Question, run: Run) -> Result<(Subject, Value), Refused> {
        let what = &question.what;
        let sentence = match run.answer {
            Answer::Value(value) => match Subject::read(&value) {
                Some(subject) => return Ok((subject, value)),
                None => format!("{what} cannot be read: az printed something that is no gateway"),
            },
            Answer::Nothing => format!("{what} cannot be read: az printed nothing"),
            Answer::Failed(reason) => {
                format!("{what} cannot be read; {}", self.cleaner.text(&reason))
            }
            Answer::NoProgram(error) if self.az.program == Path::new("az") => format!(
                "az cannot be run ({error}): install the Azure CLI, such as with `pip install \
                 azure-cli`, and log in with `az login`; or name it with --az PATH or {PROGRAM}"
            ),
            Answer::NoProgram(error) => {
                let program = self.az.program.display();
                format!("{program} cannot be run ({error}): name az with --az PATH or {PROGRAM}")
            }
        };
        Err(Refused(exit::UNAVAILABLE, Sentence::new(sentence)))
    }

    fn round(&mut self, questions: Vec<Question>, picture: &mut Picture) {
        for (question, run) in self.ask(questions) {
            match run.answer {
                Answer::Value(value) => picture.answers.push((question, value)),
                Answer::Nothing => {}
                Answer::Failed(reason) | Answer::NoProgram(reason) => {
                    self.failed += 1;
                    output::remark(format_args!(
                        "not read: {} ({}): {}",
                        question.what,
                        question.file,
                        self.cleaner.text(&reason)
                    ));
                }
            }
        }
    }

    /// Writes all, without secrets, and at last the record.
    fn write(
        self,
        folder: Folder,
        mut picture: Picture,
        interrupted: Pending,
    ) -> Result<Collected, Refused> {
        folder.prepare()?;
        let mut names = Vec::new();
        let mut removed = Vec::new();
        for mut file in files(&mut picture) {
            let places = self.cleaner.clean(&mut file.content);
            removed.extend(
                places
                    .into_iter()
                    .map(|pointer| json!({ "file": file.name, "pointer": pointer })),
            );
            folder.write(&file.name, &file.content)?;
            names.push(file.name);
        }
        for remark in &picture.remarks {
            output::remark(remark);
        }
        match removed.len() {
            0 => {}
            1 => output::remark(format_args!(
                "1 secret was not written: {RECORD} says where it stood"
            )),
            count => output::remark(format_args!(
                "{count} secrets were not written: {RECORD} says where they stood"
            )),
        }
        let record = json!({
            "as_of": times::now(),
            "by": concat!("gatewright ", env!("CARGO_PKG_VERSION")),
            "gateway": picture.subject.id.to_string(),
            "files": names,
            "remarks": picture.remarks,
            "removed": removed,
            "commands": self.commands,
        });
        folder.write(RECORD, &record)?;
        Ok(Collected {
            folder,
            files: names,
            asked: self.commands.len(),
            failed: self.failed,
            _interrupted: interrupted,
        })
    }
}
