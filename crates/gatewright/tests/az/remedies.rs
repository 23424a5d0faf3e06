//! What remedies tell people to type is what az takes: each command with its options and values.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::{fs, thread};

use serde_json::Value;

use crate::site::environment;
use crate::support::{binary, stderr, stdout};

/// Prints what az's own parser does not take of the commands in a file, a line each.
const UNKNOWN: &str = r#"
import json, shlex, sys
from azure.cli.core import get_default_cli

cli = get_default_cli()
cli.invocation = cli.invocation_cls(
    cli_ctx=cli,
    parser_cls=cli.parser_cls,
    commands_loader_cls=cli.commands_loader_cls,
    help_cls=cli.help_cls,
)
loader = cli.invocation.commands_loader
loader.load_command_table(None)
every = dict(loader.command_table)

def without(words, option, instead):
    """What az itself does with options that every command takes."""
    while option in words:
        at = words.index(option)
        words[at : at + 2] = instead
    return words

commands = {}
for command in json.load(open(sys.argv[1])):
    words = shlex.split(command, comments=True)[1:]
    words = words[: words.index(">")] if ">" in words else words
    words = without(words, "--subscription", [])
    words = without(words, "--ids", ["-g", "group", "--vnet-name", "net", "-n", "subnet"])
    first = next((at for at, word in enumerate(words) if word.startswith("-")), len(words))
    commands.setdefault(" ".join(words[:first]), []).append((words, command))
for verb, all in commands.items():
    # That of an extension; and one whose options other tests try.
    if verb.startswith("network firewall ") or verb.endswith(" show-backend-health"):
        continue
    if verb not in every:
        print("no command:", all[0][1])
        continue
    loader.command_table = {verb: every[verb]}
    loader.command_name = verb
    loader.load_arguments(verb)
    parser = cli.parser_cls(cli_ctx=cli, prog="az", parents=[cli.invocation._global_parser])
    parser.load_command_table(loader)
    for words, command in all:
        try:
            parser.parse_args(words)
        except (Exception, SystemExit) as why:
            print("not taken:", command, repr(why))
"#;

#[test]
fn az_takes_what_remedies_tell_people_to_type() {
    let Some(environment) = environment("GATEWRIGHT_AZ_VENV") else {
        return;
    };
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diagnose/cases");
    let folders: Vec<_> = fs::read_dir(cases)
        .unwrap()
        .map(|one| one.unwrap().path())
        .collect();
    let halves = folders.split_at(folders.len() / 2);
    let commands: BTreeSet<String> = thread::scope(|scope| {
        let halves = [halves.0, halves.1].map(|half| {
            scope.spawn(move || {
                half.iter()
                    .flat_map(|folder| commands_for(folder))
                    .collect()
            })
        });
        let found = halves.map(|half| half.join().unwrap());
        found
            .into_iter()
            .flat_map(|half: Vec<String>| half)
            .collect()
    });
    assert!(commands.len() > 500, "{}", commands.len());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("commands.json");
    fs::write(&file, serde_json::to_vec(&commands).unwrap()).unwrap();
    let mut python = Command::new(environment.join("bin/python"));
    python.env("AZURE_CONFIG_DIR", folder.path());
    let output = python.args(["-c", UNKNOWN]).arg(&file).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output), "", "{}", stderr(&output));
}

/// The commands of az about networks that a diagnosis of a folder tells.
fn commands_for(folder: &Path) -> Vec<String> {
    let output = binary()
        .args(["diagnose", "-o", "json", "--evidence"])
        .arg(folder)
        .output()
        .unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let fixes = list(&answer["findings"])
        .into_iter()
        .flat_map(|one| list(&one["fix"]));
    let fixes = fixes.flat_map(|fix| [list(&fix["commands"]), list(&fix["verify"])].concat());
    let needs = list(&answer["needs"])
        .into_iter()
        .map(|need| need["command"].clone());
    let all = fixes.chain(needs);
    all.filter_map(|command| command.as_str().map(str::to_owned))
        .filter(|command| command.starts_with("az network "))
        .filter(|command| !command.contains("$("))
        .collect()
}
