//! `gatewright why`.

use std::fmt::Write as _;
use std::process::ExitCode;

use gatewright_diagnosis::{Line, Outcome, Report, diagnose};
use serde_json::{Value, json};

use crate::cli::{Color, WhyArguments};
use crate::evidence_source::{Files, ask};
use crate::output::{self, Format};
use crate::paint;
use crate::sentence::Sentence;
use crate::settings::AdminAddress;

/// Statuses from which on a request has failed.
const FAILED: u64 = 400;

pub(crate) fn run(arguments: &WhyArguments) -> Result<ExitCode, Sentence> {
    let Some(trace) = &arguments.trace else {
        return list(arguments);
    };
    let story = Story::of(arguments.admin, trace)?;
    match arguments.output {
        Format::Json => output::line(format!("{:#}", story.value)),
        Format::Text => {
            output::line(output::folded(&told(&story.value)));
            let painted = |lines: &[Line]| paint::lines(lines, paint::is_coloured(Color::Auto));
            if let Some(report) = &story.report {
                output::line(format!("\n{}", therefore(&story.value, report, painted)));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What became of one request of a node.
pub(crate) struct Story {
    /// As the node tells it, with the diagnosis.
    pub(crate) value: Value,
    /// Of a request that failed.
    report: Option<Report>,
}

impl Story {
    /// # Errors
    /// When no node answers, or it does not keep the request.
    pub(crate) fn of(admin: Option<AdminAddress>, trace: &str) -> Result<Self, Sentence> {
        let mut value = ask(admin, "/why", &[("trace", trace)])?;
        let report = report(admin, &value)?;
        value["diagnosis"] = json!(report);
        Ok(Self { value, report })
    }

    /// For people, in whole lines.
    pub(crate) fn text(&self) -> String {
        let mut text = told(&self.value);
        if let Some(report) = &self.report {
            let _ = write!(text, "\n\n{}", therefore(&self.value, report, paint::plain));
        }
        text
    }
}

/// The last requests of a node that failed.
///
/// # Errors
/// When no node answers.
pub(crate) fn failures(admin: Option<AdminAddress>) -> Result<Value, Sentence> {
    ask(admin, "/why", &[])
}

fn list(arguments: &WhyArguments) -> Result<ExitCode, Sentence> {
    let listed = failures(arguments.admin)?;
    match arguments.output {
        Format::Json => output::line(format!("{listed:#}")),
        Format::Text => output::line(listing(&listed, "`gatewright why TRACE-ID`")),
    }
    Ok(ExitCode::SUCCESS)
}

/// Failures for people. `teller`: what tells more of one.
pub(crate) fn listing(listed: &Value, teller: &str) -> String {
    let failures = list_of(listed);
    if failures.is_empty() {
        return "No request has failed.".to_owned();
    }
    let mut text = format!("The last requests that failed; {teller} tells of one:");
    for one in failures {
        let why = one["failure"]["code"]
            .as_str()
            .unwrap_or("the server's own");
        let _ = write!(
            text,
            "\n  {}  {}  {} {}  {why}",
            word(&one["trace"]),
            word(&one["at"]),
            one["status"],
            asked(&one["request"]),
        );
    }
    text
}

/// The cause of a request's failure, by what the node knows of where the request came to.
fn report(admin: Option<AdminAddress>, story: &Value) -> Result<Option<Report>, Sentence> {
    let has_failed = story["answer"]["status"].as_u64() >= Some(FAILED);
    if !has_failed {
        return Ok(None);
    }
    let gateway = story["route"]["gateway"].as_str().unwrap_or_default();
    // Of several gateways without ids nobody can tell which one it was.
    let Ok(mut files) = Files::of_node(admin, gateway) else {
        return Ok(None);
    };
    if let Some(rows) = files.json_mut("access-logs.json") {
        *rows = json!([story["row"]]);
    }
    if let Some(health) = files.json_mut("backend-health.json") {
        match health_counts(story) {
            true => keep_route(health, &story["route"]),
            false => health["backendAddressPools"] = json!([]),
        }
    }
    let read = files.read();
    let (evidence, now) = read.map_err(|why| Sentence::new(why.to_string()))?;
    let verdict = diagnose(&evidence, now);
    Ok(Some(Report::new(verdict, &evidence, &[])))
}

/// Whether what is known of the servers now says why a request failed: it came to none, or could
/// not connect to one, and they have been as they are since before it. Else its failure decides.
fn health_counts(story: &Value) -> bool {
    const PHASES: [&str; 4] = ["select", "dns", "connect", "backend-tls"];
    let phase = story["failure"]["phase"].as_str();
    let is_of_servers = phase.is_some_and(|phase| PHASES.contains(&phase));
    is_of_servers && story["servers_as_then"] == true
}

/// Of the report, what is of the pool and the setting that a request came to. Of one that came to
/// none, nothing: the servers have no part in its failure.
fn keep_route(health: &mut Value, route: &Value) {
    let is_named = |reference: &Value, name: &Value| {
        let own = reference["id"]
            .as_str()
            .and_then(|id| id.rsplit('/').next());
        own.zip(name.as_str())
            .is_some_and(|(own, name)| own.eq_ignore_ascii_case(name))
    };
    let Some(pools) = health["backendAddressPools"].as_array_mut() else {
        return;
    };
    pools.retain(|pool| is_named(&pool["backendAddressPool"], &route["pool"]));
    for pool in pools {
        if let Some(settings) = pool["backendHttpSettingsCollection"].as_array_mut() {
            settings.retain(|one| is_named(&one["backendHttpSettings"], &route["setting"]));
        }
    }
}

fn list_of(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

/// `GET shop.test/x`.
fn asked(request: &Value) -> String {
    let (method, host) = (word(&request["method"]), word(&request["host"]));
    format!("{method} {host}{}", word(&request["path"]))
}

/// What follows from it.
fn therefore(story: &Value, report: &Report, shown: impl Fn(&[Line]) -> String) -> String {
    match report.verdict.outcome {
        Outcome::RootCause => shown(&report.lines(false)),
        _ if story["servers_as_then"] == false => {
            "Its servers have changed their state since, and how they were then is not known any \
             more; `gatewright diagnose` tells how they are now."
                .to_owned()
        }
        Outcome::Healthy | Outcome::Inconclusive => {
            "The servers are well now; nothing that the node knows says more.".to_owned()
        }
    }
}

fn told(story: &Value) -> String {
    let mut out = String::new();
    let answer = &story["answer"];
    let _ = writeln!(
        out,
        "{} from {} at {}: {} after {} ms",
        asked(&story["request"]),
        word(&story["request"]["client"]),
        word(&story["at"]),
        answer["status"],
        answer["milliseconds"],
    );
    route(&story["route"], &mut out);
    for (number, attempt) in (1..).zip(list_of(&story["attempts"])) {
        tell_attempt(number, attempt, &mut out);
    }
    if let Some(fact) = story["failure"]["fact"].as_str() {
        let _ = writeln!(
            out,
            "  failure   {fact} ({})",
            word(&story["failure"]["code"])
        );
    }
    out.trim_end().to_owned()
}

fn route(route: &Value, out: &mut String) {
    let mut line = |name: &str, value: &Value, more: String| {
        if let Some(value) = value.as_str() {
            let _ = writeln!(out, "  {name:<9} {value}{more}");
        }
    };
    line("listener", &route["listener"], String::new());
    let path_rule = route["path_rule"].as_str();
    let path_rule = path_rule.map(|name| format!(", path rule {name}"));
    line("rule", &route["rule"], path_rule.unwrap_or_default());
    let setting = route["setting"].as_str();
    let setting = setting.map(|name| format!(", setting {name}"));
    line("pool", &route["pool"], setting.unwrap_or_default());
}

fn tell_attempt(number: usize, attempt: &Value, out: &mut String) {
    let connection = match (&attempt["reused"], attempt["connect_milliseconds"].as_f64()) {
        (Value::Bool(true), _) => ", on a connection that was there".to_owned(),
        (_, Some(time)) => format!(", connected in {time} ms"),
        (_, None) => ", not connected".to_owned(),
    };
    let first_byte = attempt["first_byte_milliseconds"].as_f64();
    let first_byte = first_byte.map(|time| format!(", first byte after {time} ms"));
    let status = attempt["status"].as_u64();
    let status = status.map(|status| format!(", answered {status}"));
    let fact = attempt["failure"]["fact"].as_str();
    let fact = fact.map(|fact| format!(": {fact} after {} ms", attempt["milliseconds"]));
    let _ = writeln!(
        out,
        "  attempt {number} {}{connection}{}{}{}",
        word(&attempt["server"]),
        first_byte.unwrap_or_default(),
        status.unwrap_or_default(),
        fact.unwrap_or_default(),
    );
    let probes = list_of(&attempt["probes"]);
    if let Some(last) = probes.last() {
        let _ = writeln!(out, "            {}", probes_told(last, probes));
    }
}

/// The last probes in one sentence: how many had the same result in a row, and since when.
fn probes_told(last: &Value, probes: &[Value]) -> String {
    let is_alike = |one: &&Value| one["code"] == last["code"];
    let run: Vec<&Value> = probes.iter().rev().take_while(is_alike).collect();
    let since = run.last().map_or("-", |first| word(&first["at"]));
    let result = match last["healthy"].as_bool() {
        Some(true) => "healthy".to_owned(),
        _ => format!("unhealthy ({})", word(&last["code"])),
    };
    format!(
        "its probes: {result}, {} in a row since {since}",
        match run.len() {
            count if count == probes.len() => format!("the last {count}"),
            count => count.to_string(),
        }
    )
}
