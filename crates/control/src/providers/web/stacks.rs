//! `webAppStacks`: the runtimes that a web app can ask for.

use gatewright_arm::ArmError;
use hyper::Method;
use serde_json::{Value, json};

use crate::context::{Context, handler};
use crate::front::answer::Answer;
use crate::front::router::{Access, Route};
use crate::routes::route;

/// A language: its name for machines and for people, the word of `linuxFxVersion`, its versions.
type Stack = (
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
);

/// Those that can be asked for on Linux in 2026; nothing runs here, so that each does as well.
const STACKS: [Stack; 4] = [
    ("dotnet", ".NET", "DOTNETCORE", &["10.0", "9.0", "8.0"]),
    ("node", "Node", "NODE", &["24-lts", "22-lts", "20-lts"]),
    (
        "python",
        "Python",
        "PYTHON",
        &["3.14", "3.13", "3.12", "3.11", "3.10"],
    ),
    ("php", "PHP", "PHP", &["8.4", "8.3", "8.2"]),
];

pub(super) fn routes() -> Vec<Route> {
    let pattern = "/providers/Microsoft.Web/webAppStacks";
    vec![route(
        Method::GET,
        pattern,
        Access::Authenticated,
        handler(list),
    )]
}

async fn list(_: Context) -> Result<Answer, ArmError> {
    let stacks: Vec<Value> = STACKS.iter().map(shown).collect();
    Ok(Answer::ok(&json!({"value": stacks, "nextLink": null})))
}

fn shown((name, text, word, versions): &Stack) -> Value {
    let majors: Vec<Value> = versions
        .iter()
        .map(|version| major(text, word, version))
        .collect();
    json!({
        "id": null,
        "name": name,
        "type": "Microsoft.Web/webAppStacks",
        "properties": {
            "displayText": text,
            "value": name,
            "preferredOs": "linux",
            "majorVersions": majors,
        },
    })
}

fn major(text: &str, word: &str, version: &str) -> Value {
    let settings = json!({"linuxRuntimeSettings": {
        "runtimeVersion": format!("{word}|{version}"),
        "isDefaultOff": false,
        "isHidden": false,
        "isPreview": false,
        "isDeprecated": false,
        "isAutoUpdate": false,
        "remoteDebuggingSupported": false,
        "appInsightsSettings": {"isSupported": false},
        "gitHubActionSettings": {"isSupported": false},
        "supportedFeatures": {"disableSsh": true},
    }});
    let label = format!("{text} {version}");
    json!({
        "displayText": label,
        "value": version,
        "minorVersions": [{"displayText": label, "value": version, "stackSettings": settings}],
    })
}
