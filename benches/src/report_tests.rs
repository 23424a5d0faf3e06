use super::*;

fn cell(engine: Engine, cpu_us: &[f64]) -> Cell {
    let mut cell = Cell::new(Regime::OneCore, "get-1k", engine, Some(0.6));
    cell.rounds = cpu_us
        .iter()
        .map(|cpu_us| Round {
            cpu_us: *cpu_us,
            requests_per_second: 1.0,
            p50_us: 1.0,
            p99_us: 1.0,
        })
        .collect();
    cell
}

fn report(cells: Vec<Cell>) -> Report {
    Report::new(Machine::read(), &[], cells)
}

#[test]
fn a_median_is_the_middle_or_the_mean_of_the_two_in_the_middle() {
    let odd = Spread {
        median: 2.0,
        min: 1.0,
        max: 9.0,
    };
    assert_eq!(Spread::of([9.0, 1.0, 2.0]), Some(odd));
    let even = Spread {
        median: 2.5,
        min: 1.0,
        max: 9.0,
    };
    assert_eq!(Spread::of([9.0, 1.0, 2.0, 3.0]), Some(even));
    assert_eq!(Spread::of([]), None);
}

#[test]
fn a_ratio_is_of_the_same_round_in_the_same_regime_and_case() {
    let mut elsewhere = cell(Engine::Haproxy, &[100.0]);
    elsewhere.regime = Regime::TwoCores;
    let own = cell(Engine::Gatewright, &[5.0, 4.0, 6.0]);
    let report = report(vec![
        elsewhere,
        own,
        cell(Engine::Haproxy, &[10.0, 20.0, 10.0]),
    ]);
    let ratio = report.cells[1].ratio;
    assert_eq!(
        ratio,
        Some(Spread {
            median: 0.5,
            min: 0.2,
            max: 0.6
        })
    );
    assert_eq!(report.cells[1].meets_its_aim(), Some(true));
    assert_eq!(report.cells[2].meets_its_aim(), None, "a peer has no aim");
}

#[test]
fn a_ratio_is_to_the_median_where_a_round_is_missing() {
    let own = cell(Engine::Gatewright, &[5.0, 4.0]);
    let report = report(vec![own, cell(Engine::Haproxy, &[10.0, 20.0, 10.0])]);
    let ratio = report.cells[0].ratio.expect("a ratio");
    assert_eq!((ratio.min, ratio.max), (0.4, 0.5));
}

#[test]
fn an_aim_is_missed_by_the_median() {
    let report = report(vec![
        cell(Engine::Haproxy, &[10.0]),
        cell(Engine::Gatewright, &[6.1]),
    ]);
    assert_eq!(report.cells[1].meets_its_aim(), Some(false));
}

#[test]
fn without_haproxy_there_is_no_ratio() {
    let report = report(vec![cell(Engine::Gatewright, &[6.1])]);
    assert_eq!(report.cells[0].ratio, None);
    assert_eq!(report.cells[0].meets_its_aim(), None);
}

#[test]
fn a_change_must_leave_the_spread_by_more_than_five_percent() {
    let run = |ours: &[f64]| {
        report(vec![
            cell(Engine::Haproxy, &[10.0]),
            cell(Engine::Gatewright, ours),
        ])
    };
    let before = run(&[5.0, 4.0, 6.0]);
    for (now, expected) in [
        (6.2, Verdict::Same),
        (6.4, Verdict::Dearer),
        (3.9, Verdict::Same),
        (3.7, Verdict::Cheaper),
    ] {
        let changes = run(&[now]).changes_since(&before);
        let own = changes
            .iter()
            .find(|change| change.engine == Engine::Gatewright);
        let own = own.expect("the cell is in both runs");
        assert_eq!(own.verdict, expected, "{now}");
        assert_eq!(own.measure, "ratio to HAProxy");
    }
}

#[test]
fn a_slower_machine_is_no_change_of_the_ratio() {
    let before = report(vec![
        cell(Engine::Haproxy, &[10.0]),
        cell(Engine::Gatewright, &[5.0]),
    ]);
    let now = report(vec![
        cell(Engine::Haproxy, &[20.0]),
        cell(Engine::Gatewright, &[10.0]),
    ]);
    let changes = now.changes_since(&before);
    let verdicts: Vec<_> = changes
        .iter()
        .map(|change| (change.engine, change.verdict))
        .collect();
    let expected = [
        (Engine::Haproxy, Verdict::Dearer),
        (Engine::Gatewright, Verdict::Same),
    ];
    assert_eq!(verdicts, expected);
}

#[test]
fn a_report_survives_its_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("report.json");
    let mut failed = cell(Engine::Nginx, &[]);
    failed.fail(3, Some("status 502".to_owned()));
    let report = report(vec![cell(Engine::Haproxy, &[10.0]), failed]);
    report.write(&path).expect("written");
    let read = Report::read(&path).expect("read");
    assert_eq!(read.errors(), 3);
    assert_eq!(read.cells[0].cpu_us, report.cells[0].cpu_us);
    assert_eq!(read.cells[1].first_error.as_deref(), Some("status 502"));
}
