//! `gatewright explain`, as a user runs it.

use crate::support::{run, stderr, stdout};

#[test]
fn a_cause_is_explained_by_code_and_name_in_any_letter_case() {
    let by_code = run(&["explain", "GW-F02"]);
    assert!(by_code.status.success(), "{}", stderr(&by_code));
    let text = stdout(&by_code);
    assert!(text.starts_with("GW-F02 missing-trusted-root\n"), "{text}");
    for part in [
        "\nHow it shows\n",
        "\nWhat decides\n",
        "\nWhat mends it\n",
        "certs/presented.pem",
        "trusted-root-not-attached (GW-F07)",
        "\n    az network application-gateway root-cert create -g RG",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    for same in ["gw-f02", "missing-trusted-root", "Missing-Trusted-ROOT"] {
        assert_eq!(stdout(&run(&["explain", same])), text, "{same}");
    }
}

#[test]
fn an_unknown_cause_is_refused_with_what_is_close() {
    let check = |typed: &str, expected: &str| {
        let output = run(&["explain", typed]);
        assert_eq!(output.status.code(), Some(64), "{typed}");
        assert_eq!(stdout(&output), "");
        assert_eq!(stderr(&output), format!("error: {expected}\n"));
    };
    check(
        "worng-port",
        "there is no cause 'worng-port'; close are GW-A02 wrong-port and GW-E01 listener-port; \
         `gatewright explain` lists all",
    );
    check(
        "self_signed",
        "there is no cause 'self_signed'; close is GW-F10 self-signed; \
         `gatewright explain` lists all",
    );
    check(
        "GW-Z99",
        "there is no cause 'GW-Z99'; none is close; `gatewright explain` lists all",
    );
    check(
        "\u{1b}[31m",
        "there is no cause '\\u{1b}[31m'; none is close; `gatewright explain` lists all",
    );
    let close = stderr(&run(&["explain", "probe-40"]));
    assert!(close.contains("close are GW-B01 probe-404, "), "{close}");
}

#[test]
fn without_a_cause_all_are_listed() {
    let output = run(&["explain"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.starts_with("A: "), "{text}");
    let row = "\n  GW-G01 stopped: The gateway is stopped.\n";
    assert!(text.contains(row), "{text}");
    let rows = text.lines().filter(|line| line.starts_with("  GW-"));
    assert!(rows.count() > 60, "{text}");
}
