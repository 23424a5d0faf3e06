use super::*;

fn flags() -> ServeArguments {
    ServeArguments {
        gateway: vec!["flag.json".into()],
        ..ServeArguments::default()
    }
}

fn with_file(text: &str, flags: ServeArguments) -> Result<Settings, Sentence> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("gatewright.toml");
    fs::write(&path, text).unwrap();
    Settings::gather(ServeArguments {
        config: Some(path),
        ..flags
    })
}

fn error_of<T: FromStr<Err = Sentence> + fmt::Debug>(text: &str) -> String {
    text.parse::<T>().unwrap_err().to_string()
}

#[test]
fn defaults_are_those_that_the_help_tells() {
    let settings = Settings::gather(flags()).unwrap();
    assert_eq!(
        settings.admin,
        AdminAddress::At("127.0.0.1:9440".parse().unwrap())
    );
    assert_eq!(settings.access_log, AccessLogTarget::Nowhere);
    assert_eq!(settings.drain_timeout, Duration::from_secs(30));
    assert_eq!(
        (settings.port_offset, settings.watch, settings.dev_certs),
        (0, true, false)
    );
    assert!(settings.bind.is_empty() && settings.workers >= 1);
}

#[test]
fn flags_win_over_the_file() {
    let text = "port-offset = 1\nwatch = false\nadmin = \"none\"\nbind = [\"127.0.0.9\"]\n\
                access-log = \"-\"\nworkers = 3\n";
    let settings = with_file(text, flags()).unwrap();
    assert_eq!(
        (settings.port_offset, settings.watch, settings.workers),
        (1, false, 3)
    );
    assert_eq!(settings.admin, AdminAddress::Nowhere);
    assert_eq!(settings.access_log, AccessLogTarget::Stdout);
    assert_eq!(settings.bind.len(), 1);
    let flags = ServeArguments {
        port_offset: Some(2),
        watch: true,
        bind: vec!["public=::1".parse().unwrap(), "127.0.0.1".parse().unwrap()],
        ..flags()
    };
    let settings = with_file(text, flags).unwrap();
    assert_eq!(
        (settings.port_offset, settings.watch, settings.bind.len()),
        (2, true, 2)
    );
}

#[test]
fn paths_in_the_file_are_relative_to_it() {
    let text = "gateway = [\"gw.json\"]\naccess-log = \"access.log\"\n\
                certificate = [\"site=site.pfx,password-file=site.txt\"]\n";
    let flags = ServeArguments::default();
    let settings = with_file(text, flags).unwrap();
    let folder = settings.gateways[0].parent().unwrap();
    assert!(folder.is_absolute() && settings.gateways[0].ends_with("gw.json"));
    let certificate = &settings.certificates[0];
    assert_eq!(certificate.file, folder.join("site.pfx"));
    assert_eq!(certificate.password_file, Some(folder.join("site.txt")));
    let log = AccessLogTarget::File(folder.join("access.log"), Rotation::default());
    assert_eq!(settings.access_log, log);
}

#[test]
fn a_list_may_be_a_single_text() {
    let text = "gateway = \"g1.json\"\nbind = \"127.0.0.9\"\ndns = [\"127.0.0.53\"]\n";
    let settings = with_file(text, ServeArguments::default()).unwrap();
    assert!(settings.gateways[0].ends_with("g1.json"));
    assert_eq!((settings.bind.len(), settings.dns.len()), (1, 1));
}

#[test]
fn mistakes_in_the_file_are_told_with_their_line() {
    for (text, line, part) in [
        ("# settings\nport-ofset = 1\n", "line 2", "port-ofset"),
        ("\n\nadmin = \"0.0.0.0:9440\"\n", "line 3", "loopback"),
        ("workers = \"two\"\n", "line 1", "invalid type"),
        ("bind = \"here\"\n", "line 1", "IP address"),
        ("\ngateway = 1\n", "line 2", "a text or a list of texts"),
    ] {
        let error = with_file(text, flags()).unwrap_err().to_string();
        assert!(error.contains(line) && error.contains(part), "{error}");
    }
}

#[test]
fn a_node_without_a_gateway_is_refused() {
    let error = Settings::gather(ServeArguments::default())
        .unwrap_err()
        .to_string();
    assert!(error.contains("--gateway FILE"), "{error}");
}

#[test]
fn bounds_hold() {
    let zero = ServeArguments {
        workers: Some(0),
        ..flags()
    };
    assert!(
        Settings::gather(zero)
            .unwrap_err()
            .to_string()
            .contains("--workers")
    );
    let empty = ServeArguments {
        access_log_mib: Some(0),
        ..flags()
    };
    assert!(
        Settings::gather(empty)
            .unwrap_err()
            .to_string()
            .contains("1 MiB")
    );
}

#[test]
fn values_are_read_or_refused_in_one_sentence() {
    let rule: BindRule = "gw/public=[::1]".parse().unwrap();
    assert_eq!(rule.frontend.as_deref(), Some("gw/public"));
    assert_eq!(rule.address, "::1".parse::<IpAddr>().unwrap());
    assert!(error_of::<BindRule>("127.0.0.1:80").contains("--port-offset"));
    assert!(error_of::<CertificateFile>("site.pfx").contains("NAME=FILE"));
    assert!(error_of::<AdminAddress>("10.0.0.1:9440").contains("loopback"));
    assert!(error_of::<AdminAddress>("9440").contains("127.0.0.1:9440"));
    assert_eq!("NONE".parse(), Ok(AdminAddress::Nowhere));
    let local = AdminAddress::At("127.0.0.1:1".parse().unwrap());
    assert_eq!("http://localhost:1/".parse(), Ok(local));
    assert_eq!(
        "127.0.0.53".parse(),
        Ok(NameServer("127.0.0.53:53".parse().unwrap()))
    );
    assert_eq!(
        "[::1]:5353".parse(),
        Ok(NameServer("[::1]:5353".parse().unwrap()))
    );
    assert!(error_of::<NameServer>("dns").contains("IP address"));
}
