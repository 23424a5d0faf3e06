//! The sealing key: where it comes from, what it seals, and which directory it belongs to.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use gatewright_store::{
    Embedded, KeySources, OpenError, Options, SEALING_KEY_CREDENTIAL, SEALING_KEY_FILE, SealError,
    SealingKey, SealingKeyError, restore,
};
use proptest::prelude::*;
use zeroize::Zeroizing;

const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";
const BASE64: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn environment(text: &str) -> KeySources {
    KeySources {
        environment: Some(Zeroizing::new(text.to_owned())),
        credentials: None,
    }
}

fn load(directory: &Path, sources: &KeySources) -> Result<SealingKey, SealingKeyError> {
    SealingKey::load_or_create(directory, sources)
}

/// Whether two keys are one.
fn same(one: &SealingKey, other: &SealingKey) -> bool {
    let sealed = one.seal("c", b"text").unwrap();
    other.open("c", &sealed).is_ok()
}

#[test]
fn a_key_is_made_once_for_its_owner_alone() {
    let place = tempfile::tempdir().unwrap();
    let none = KeySources::default();
    assert!(SealingKey::load(place.path(), &none).unwrap().is_none());
    let made = load(place.path(), &none).unwrap();
    let file = place.path().join(SEALING_KEY_FILE);
    let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(text.len(), 65);
    assert!(same(&made, &load(place.path(), &none).unwrap()));
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    let elsewhere = tempfile::tempdir().unwrap();
    assert!(!same(&made, &load(elsewhere.path(), &none).unwrap()));
    let said = format!("{made:?}");
    assert!(
        !said.contains(text.trim()) && said.contains(SEALING_KEY_FILE),
        "{said}"
    );
}

#[test]
fn a_key_that_others_may_read_is_refused() {
    let place = tempfile::tempdir().unwrap();
    load(place.path(), &KeySources::default()).unwrap();
    let file = place.path().join(SEALING_KEY_FILE);
    for mode in [0o640, 0o604, 0o620, 0o601] {
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        let refused = load(place.path(), &KeySources::default()).unwrap_err();
        assert!(
            matches!(refused, SealingKeyError::Exposed { .. }),
            "{refused}"
        );
        assert!(
            refused.to_string().contains(&format!("(mode {mode:o})")),
            "{refused}"
        );
    }
    fs::set_permissions(&file, Permissions::from_mode(0o400)).unwrap();
    load(place.path(), &KeySources::default()).unwrap();
}

#[test]
fn sources_are_asked_in_order() {
    let place = tempfile::tempdir().unwrap();
    let credentials = tempfile::tempdir().unwrap();
    let credential = credentials.path().join(SEALING_KEY_CREDENTIAL);
    let mut sources = KeySources {
        environment: None,
        credentials: Some(credentials.path().to_owned()),
    };
    let of_file = load(place.path(), &sources).unwrap();
    fs::write(&credential, format!("{}\n", "ab".repeat(32))).unwrap();
    let of_credential = load(place.path(), &sources).unwrap();
    assert!(!same(&of_credential, &of_file));
    sources.environment = Some(Zeroizing::new(HEX.to_owned()));
    let of_environment = load(place.path(), &sources).unwrap();
    assert!(!same(&of_environment, &of_credential));
    let base64 = load(place.path(), &environment(BASE64)).unwrap();
    assert!(same(&of_environment, &base64));
    assert!(!format!("{sources:?} {base64:?}").contains("0405"));
}

#[test]
fn what_is_no_key_is_refused_and_not_replaced() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join(SEALING_KEY_FILE);
    let short = &HEX[..62];
    let long = format!("{HEX}00");
    let odd = format!("{}g", &HEX[..63]);
    let two_bytes = format!("{}é", &HEX[..62]);
    let huge = "A".repeat(1_000_000);
    for text in [
        "",
        "secret",
        short,
        &long,
        &odd,
        &two_bytes,
        &BASE64[..40],
        &huge,
    ] {
        let refused = load(place.path(), &environment(text)).unwrap_err();
        let expected = "GATEWRIGHT_SEALING_KEY holds no sealing key: it must be 32 bytes, as 64 \
                        digits of hex or as base64";
        assert_eq!(refused.to_string(), expected);
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        let refused = load(place.path(), &KeySources::default()).unwrap_err();
        assert!(
            matches!(refused, SealingKeyError::NoKey { .. }),
            "{refused}"
        );
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
    fs::write(&file, [0xff; 32]).unwrap();
    let refused = load(place.path(), &KeySources::default()).unwrap_err();
    assert!(
        matches!(refused, SealingKeyError::NoKey { .. }),
        "{refused}"
    );
}

fn key() -> SealingKey {
    load(Path::new("unused"), &environment(HEX)).unwrap()
}

proptest! {
    #[test]
    fn what_was_sealed_opens_in_its_place_only(
        plain in proptest::collection::vec(any::<u8>(), 0..200),
        context in ".{0,20}",
        at in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
    ) {
        let key = key();
        let sealed = key.seal(&context, &plain).unwrap();
        prop_assert_eq!(sealed.len(), plain.len() + 29);
        prop_assert_eq!(&*key.open(&context, &sealed).unwrap(), &plain);
        prop_assert_ne!(&key.seal(&context, &plain).unwrap(), &sealed);
        let elsewhere = key.open(&format!("{context}x"), &sealed);
        prop_assert_eq!(elsewhere.unwrap_err(), SealError::Refused);
        let other = load(Path::new("unused"), &environment(&"ab".repeat(32))).unwrap();
        prop_assert_eq!(other.open(&context, &sealed).unwrap_err(), SealError::Refused);
        let cut = at.index(sealed.len());
        prop_assert!(key.open(&context, &sealed[..cut]).is_err());
        let mut altered = sealed.clone();
        altered[cut] ^= flip;
        prop_assert!(key.open(&context, &altered).is_err());
        altered[cut] ^= flip;
        altered.push(flip);
        prop_assert!(key.open(&context, &altered).is_err());
    }

    #[test]
    fn nothing_that_is_opened_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        prop_assert!(key().open("c", &bytes).is_err());
    }
}

fn open(directory: &Path, sources: &KeySources) -> Result<SealingKey, OpenError> {
    Embedded::open_sealed(directory, Options::default(), sources).map(|(_, key)| key)
}

#[test]
fn a_directory_opens_with_its_own_key_only() {
    let place = tempfile::tempdir().unwrap();
    let none = KeySources::default();
    let key = open(place.path(), &none).unwrap();
    assert!(same(&key, &open(place.path(), &none).unwrap()));
    let refused = open(place.path(), &environment(HEX)).unwrap_err();
    let expected = "the sealing key from GATEWRIGHT_SEALING_KEY is not the one that the data \
                    directory was sealed with; restore that key in its place";
    assert_eq!(refused.to_string(), expected);

    let file = place.path().join(SEALING_KEY_FILE);
    let text = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    let refused = open(place.path(), &none).unwrap_err();
    let expected = format!(
        "was sealed with a key that is missing; restore the file {}",
        file.display()
    );
    assert!(refused.to_string().contains(&expected), "{refused}");
    assert!(!file.exists(), "a key was made that opens nothing");
    // The same key from another source is the same key.
    assert!(same(
        &key,
        &open(place.path(), &environment(&text)).unwrap()
    ));
}

#[tokio::test]
async fn a_restored_directory_wants_the_key_that_it_had() {
    let place = tempfile::tempdir().unwrap();
    let (data, other) = (place.path().join("data"), place.path().join("other"));
    let none = KeySources::default();
    let (store, _) = Embedded::open_sealed(&data, Options::default(), &none).unwrap();
    let backup = place.path().join("backup.db");
    store.backup(&backup).await.unwrap();
    restore(&backup, &other, false).unwrap();
    let refused = open(&other, &none).unwrap_err();
    let missing = matches!(
        refused,
        OpenError::SealingKey(SealingKeyError::Missing { .. })
    );
    assert!(missing, "{refused}");
    fs::copy(data.join(SEALING_KEY_FILE), other.join(SEALING_KEY_FILE)).unwrap();
    open(&other, &none).unwrap();
}
