//! What the log's own operator might seal: the manifest is right and well signed, so every other check must stand alone.

use veracta_ledger::Hash;
use veracta_ledger::archive::Files;
use veracta_ledger::bundle::{CHECKPOINT_PATH, KEY_PATH, MANIFEST_PATH};
use veracta_ledger::checkpoint::Checkpoint;
use veracta_ledger::entry::Entry;
use veracta_ledger::merkle::empty_root;
use veracta_ledger::note::SignedNote;
use veracta_ledger::proof::TlogProof;
use veracta_ledger::verify::{Outcome, Trust};

use crate::sample::{
    Log, MODELS, ORIGIN, artifact_path, check_fails, check_holds, honest, key, log_key, statement,
    verify,
};

const TILE: &str = "tile/0/000.p/5";
const ENTRIES: &str = "tile/entries/000.p/5";

/// Asserts that a bundle with altered files fails although it is sealed, and that a failing check names `file`.
fn check_files(case: &str, alter: impl FnOnce(&mut Files, &Log), file: &str, words: &str) {
    let log = Log::new(key(1));
    let mut files = log.files();
    alter(&mut files, &log);
    check_fails(
        case,
        &verify(&log.seal(files), &Trust::default()),
        Some(file),
        words,
    );
}

fn put(files: &mut Files, path: &str, bytes: impl Into<Vec<u8>>) {
    files.insert(path.to_owned(), bytes.into());
}

fn rename(files: &mut Files, path: &str, new_path: &str) {
    let bytes = files.remove(path).expect("the file is there");
    files.insert(new_path.to_owned(), bytes);
}

fn content<'f>(files: &'f mut Files, path: &str) -> &'f mut Vec<u8> {
    files.get_mut(path).expect("the file is there")
}

#[test]
fn a_record_is_the_one_its_entry_commits_to() {
    let words = "it is not the record its entry commits to";
    check_files(
        "another",
        |files, _| put(files, "records/3.json", *b"{}"),
        "records/3.json",
        words,
    );
    check_files(
        "a space more",
        |files, _| content(files, "records/3.json").push(b' '),
        "records/3.json",
        words,
    );
    check_files(
        "of another entry",
        |files, log| put(files, "records/3.json", &*log.bodies[2]),
        "records/3.json",
        words,
    );
    for path in [
        "records/5.json",
        "records/03.json",
        "records/3",
        "records/.json",
        "records/3.json/x",
        "records/-1.json",
    ] {
        let words = "no entry has this position";
        check_files(
            path,
            |files, _| rename(files, "records/3.json", path),
            path,
            words,
        );
    }
}

#[test]
fn tiles_are_those_of_the_entries() {
    let words = "the tile is missing or is not the one its entries give";
    check_files("no tile", |files, _| drop(files.remove(TILE)), TILE, words);
    check_files(
        "a bit",
        |files, _| content(files, TILE)[0] ^= 1,
        TILE,
        words,
    );
    check_files(
        "a hash less",
        |files, _| content(files, TILE).truncate(128),
        TILE,
        words,
    );
    check_files(
        "a byte more",
        |files, _| content(files, TILE).push(0),
        TILE,
        words,
    );
    check_files(
        "no bundle",
        |files, _| drop(files.remove(ENTRIES)),
        ENTRIES,
        "it is missing",
    );
    check_files(
        "a byte less",
        |files, _| {
            content(files, ENTRIES).pop();
        },
        ENTRIES,
        "ends inside entry 4",
    );
    check_files(
        "an entry more",
        |files, _| content(files, ENTRIES).extend([0u8, 0]),
        ENTRIES,
        "holds 6",
    );
    for path in [
        "tile/0/000.p/4",
        "tile/0/000",
        "tile/0/001.p/1",
        "tile/1/000.p/1",
        "tile/entries/000",
        "tile/readme",
    ] {
        check_files(
            path,
            |files, _| put(files, path, [0u8; 32]),
            path,
            "no log of this size has this tile",
        );
    }
}

#[test]
fn the_root_is_that_of_the_entries() {
    let words = "the entries lead to another root than the signed one";
    let other = Log::of(key(1), honest(&key(1)).0, &honest(&key(2)).1);
    check_files(
        "another root",
        |files, _| put(files, CHECKPOINT_PATH, other.signed_head(5)),
        CHECKPOINT_PATH,
        words,
    );
    let tiles_of_other = |files: &mut Files, _: &Log| {
        let others = other.files();
        [TILE, ENTRIES]
            .into_iter()
            .for_each(|path| put(files, path, &*others[path]));
    };
    check_files(
        "other entries and their tile",
        tiles_of_other,
        CHECKPOINT_PATH,
        words,
    );
}

/// Asserts that a bundle fails whose log signed another checkpoint text.
fn check_checkpoint(case: &str, text: &str, file: &str, words: &str) {
    let note = SignedNote::sign(text.to_owned(), ORIGIN, &key(1)).expect("a plain text");
    check_files(
        case,
        |files, _| put(files, CHECKPOINT_PATH, note.to_string()),
        file,
        words,
    );
}

#[test]
fn the_checkpoint_is_of_this_log_and_this_size() {
    let head = Log::new(key(1)).head(5);
    let of_size = |size| {
        Checkpoint {
            size,
            ..head.clone()
        }
        .to_text()
    };
    check_checkpoint(
        "smaller",
        &of_size(4),
        TILE,
        "no log of this size has this tile",
    );
    check_checkpoint(
        "smaller",
        &of_size(4),
        "tile/entries/000.p/4",
        "it is missing",
    );
    check_checkpoint(
        "larger",
        &of_size(6),
        "tile/entries/000.p/6",
        "it is missing",
    );
    check_checkpoint(
        "absurd",
        &of_size(u64::MAX),
        CHECKPOINT_PATH,
        "entries cannot be in",
    );
    let other = Checkpoint {
        origin: "log.example/other".to_owned(),
        ..head.clone()
    };
    check_checkpoint(
        "another origin",
        &other.to_text(),
        CHECKPOINT_PATH,
        "is of log `log.example/other`",
    );
    check_checkpoint(
        "an extension",
        &format!("{}more\n", head.to_text()),
        CHECKPOINT_PATH,
        "malformed checkpoint",
    );
    check_checkpoint(
        "no checkpoint",
        "anything\n",
        CHECKPOINT_PATH,
        "malformed checkpoint",
    );
}

#[test]
fn the_checkpoint_is_there_and_signed_by_the_log() {
    check_files(
        "missing",
        |files, _| drop(files.remove(CHECKPOINT_PATH)),
        CHECKPOINT_PATH,
        "the checkpoint is missing",
    );
    let stranger = Log {
        key: key(2),
        ..Log::new(key(1))
    }
    .signed_head(5);
    check_files(
        "by a stranger",
        |files, _| put(files, CHECKPOINT_PATH, stranger),
        CHECKPOINT_PATH,
        "no signature by a known",
    );
}

#[test]
fn a_log_without_entries_is_no_log() {
    let log = Log {
        entries: Vec::new(),
        ..Log::new(key(1))
    };
    let mut files = Files::new();
    put(&mut files, KEY_PATH, format!("{}\n", log_key(&log.key)));
    put(&mut files, CHECKPOINT_PATH, log.signed_head(0));
    assert_eq!(log.head(0).root, empty_root());
    check_fails(
        "empty",
        &verify(&log.seal(files), &Trust::default()),
        None,
        "no entry opens a log under this key",
    );
}

#[test]
fn a_receipt_is_the_one_of_its_entry() {
    let path = "proofs/3.tlog-proof";
    let no_entry = "no entry has this position";
    let other_root = "the proof leads to another root";
    check_files(
        "of another entry",
        |files, log| put(files, path, log.receipt(2, 5)),
        path,
        other_root,
    );
    let mut altered =
        TlogProof::parse(&Log::new(key(1)).receipt(3, 5)).expect("a receipt reads back");
    altered.hashes[0].0[0] ^= 1;
    check_files(
        "altered",
        |files, _| put(files, path, altered.to_string()),
        path,
        other_root,
    );
    check_files(
        "no receipt",
        |files, _| put(files, path, *b"{}"),
        path,
        "malformed tlog-proof",
    );
    let stranger = Log {
        key: key(2),
        ..Log::new(key(1))
    }
    .receipt(3, 5);
    check_files(
        "by a stranger",
        |files, _| put(files, path, stranger),
        path,
        "no signature by a known key",
    );
    for new_path in [
        "proofs/5.tlog-proof",
        "proofs/03.tlog-proof",
        "proofs/3",
        "proofs/3.tlog-proof.bak",
    ] {
        check_files(
            new_path,
            |files, _| rename(files, path, new_path),
            new_path,
            no_entry,
        );
    }
}

#[test]
fn a_receipt_from_an_earlier_head_of_the_same_log_holds() {
    let log = Log::new(key(1));
    let mut files = log.files();
    put(&mut files, "proofs/3.tlog-proof", log.receipt(3, 4));
    let report = verify(&log.seal(files), &Trust::default());
    check_holds(
        "earlier receipt",
        &report,
        Outcome::Holds,
        "3 inclusion proofs",
    );
}

#[test]
fn a_statement_is_signed_and_about_what_the_log_commits_to() {
    let path = "statements/model.dsse.json";
    let about = |artifacts: &[&[u8]]| statement(&key(1), artifacts);
    let words = "it is about an artefact that no entry commits to";
    check_files(
        "another artefact",
        |files, _| put(files, path, about(&[b"third model"])),
        path,
        words,
    );
    check_files(
        "one of two",
        |files, _| put(files, path, about(&[MODELS[0], b"third model"])),
        path,
        words,
    );
    let stranger = statement(&key(2), &[MODELS[1]]);
    check_files(
        "by a stranger",
        |files, _| put(files, path, stranger),
        path,
        "0 of 1 needed keys have signed",
    );
    check_files(
        "no envelope",
        |files, _| put(files, path, *b"{}"),
        path,
        "malformed envelope or statement",
    );
    check_files(
        "empty",
        |files, _| content(files, path).clear(),
        path,
        "malformed envelope or statement",
    );
}

#[test]
fn an_artefact_has_its_digest_and_an_entry() {
    let third = artifact_path(b"third model");
    let other_digest = "its content does not have the digest in its name";
    check_files(
        "nobody's",
        |files, _| put(files, &third, *b"third model"),
        &third,
        "no entry commits to it",
    );
    check_files(
        "altered",
        |files, _| content(files, &artifact_path(MODELS[0])).push(b'!'),
        &artifact_path(MODELS[0]),
        other_digest,
    );
    check_files(
        "renamed",
        |files, _| rename(files, &artifact_path(MODELS[0]), &third),
        &third,
        other_digest,
    );
    let capitals = artifact_path(MODELS[0])
        .to_uppercase()
        .replace("ARTIFACTS", "artifacts");
    check_files(
        "capitals",
        |files, _| rename(files, &artifact_path(MODELS[0]), &capitals),
        &capitals,
        other_digest,
    );
    check_files(
        "no digest",
        |files, _| put(files, "artifacts/model.json", *b"{}"),
        "artifacts/model.json",
        other_digest,
    );
}

#[test]
fn the_key_is_readable() {
    let words = "there is no readable log key";
    check_files(
        "missing",
        |files, _| drop(files.remove(KEY_PATH)),
        KEY_PATH,
        words,
    );
    check_files(
        "no newline",
        |files, _| {
            content(files, KEY_PATH).pop();
        },
        KEY_PATH,
        words,
    );
    check_files(
        "two newlines",
        |files, _| content(files, KEY_PATH).push(b'\n'),
        KEY_PATH,
        words,
    );
    check_files(
        "not text",
        |files, _| put(files, KEY_PATH, [0xff, b'\n']),
        KEY_PATH,
        words,
    );
}

/// Asserts that a bundle fails whose manifest is replaced by what `alter` makes of it.
fn check_manifest(case: &str, alter: impl FnOnce(SignedNote) -> SignedNote, words: &str) {
    let mut files = Log::new(key(1)).bundle();
    let note = SignedNote::parse(&files[MANIFEST_PATH]).expect("a sealed bundle has a manifest");
    put(&mut files, MANIFEST_PATH, alter(note).to_string());
    check_fails(
        case,
        &verify(&files, &Trust::default()),
        Some(MANIFEST_PATH),
        words,
    );
}

fn resign(text: String) -> SignedNote {
    SignedNote::sign(text, ORIGIN, &key(1)).expect("a plain text")
}

#[test]
fn the_manifest_is_a_list_of_files_under_one_signature() {
    let not_a_list = "it is not a list of files in the form of this version";
    check_manifest(
        "another version",
        |note| resign(note.text.replace("bundle v1", "bundle v2")),
        not_a_list,
    );
    check_manifest(
        "a checkpoint",
        |_| resign(Log::new(key(1)).head(5).to_text()),
        not_a_list,
    );
    check_manifest(
        "a leading zero",
        |note| resign(note.text.replacen(" 12 ", " 012 ", 1)),
        not_a_list,
    );
    check_manifest(
        "a blank line",
        |note| resign(format!("{}\n", note.text)),
        not_a_list,
    );
    let uncovered = "it has bytes that its signature does not cover";
    let signed_twice = |note: SignedNote| {
        let signatures = [&note.signatures[..], &note.signatures[..]].concat();
        SignedNote { signatures, ..note }
    };
    check_manifest("signed twice", signed_twice, uncovered);
    let stranger =
        SignedNote::sign("anything\n".to_owned(), "stranger", &key(2)).expect("a plain text");
    let add_stranger = |mut note: SignedNote| {
        note.signatures.extend(stranger.signatures.clone());
        note
    };
    check_manifest("a second signature", add_stranger, uncovered);
    let by_stranger =
        |note: SignedNote| SignedNote::sign(note.text, ORIGIN, &key(2)).expect("a plain text");
    check_manifest("by a stranger", by_stranger, "no signature by a known key");
}

/// Asserts that a bundle fails whose log has altered entries.
fn check_entries(case: &str, alter: impl FnOnce(&mut [Entry]), words: &str) {
    let (bodies, mut entries) = honest(&key(1));
    alter(&mut entries);
    let log = Log::of(key(1), bodies, &entries);
    check_fails(case, &verify(&log.bundle(), &Trust::default()), None, words);
}

#[test]
fn the_log_opens_under_its_key() {
    let words = "no entry opens a log under this key";
    check_entries(
        "another kind",
        |entries| entries[0].kind = "dataset.version".to_owned(),
        words,
    );
    check_entries(
        "another key",
        |entries| entries[0].subject = log_key(&key(2)).to_string(),
        words,
    );
    check_entries(
        "another spelling",
        |entries| entries[0].subject.push('\n'),
        words,
    );
}

#[test]
fn entries_are_in_order_and_rest_on_earlier_ones() {
    let earlier = "2026-03-01T08:59:59.999Z".to_owned();
    check_entries(
        "dated back",
        |entries| entries[2].at = earlier,
        "entry 2 is dated before the entry it follows",
    );
    check_entries(
        "on itself",
        |entries| entries[2].links[0].idx = 2,
        "entry 2 rests on entry 2",
    );
    check_entries(
        "on a later one",
        |entries| entries[2].links[0].idx = 3,
        "entry 2 rests on entry 3",
    );
    check_entries(
        "on none",
        |entries| entries[2].links[0].idx = u64::MAX,
        "entry 2 rests on entry 18446744073709551615",
    );
    check_entries(
        "on another body",
        |entries| entries[2].links[0].body = Hash::of(b""),
        "entry 2 rests on entry 1",
    );
    let words = "entry 3 does not name the record of its kind and subject before it";
    check_entries(
        "after itself",
        |entries| entries[3].previous = Some(3),
        words,
    );
    check_entries(
        "after a later one",
        |entries| entries[3].previous = Some(4),
        words,
    );
    check_entries(
        "after none",
        |entries| entries[3].previous = Some(u64::MAX),
        words,
    );
    check_entries(
        "after another kind",
        |entries| entries[3].previous = Some(1),
        words,
    );
    check_entries(
        "after another subject",
        |entries| entries[2].subject = "model:other".to_owned(),
        words,
    );
}

#[test]
fn an_entry_has_one_form() {
    let check = |case: &str, alter: &dyn Fn(&str) -> String, words: &str| {
        let mut log = Log::new(key(1));
        let text = String::from_utf8(log.entries[4].clone()).expect("an entry is text");
        let altered = alter(&text);
        assert_ne!(altered, text, "{case}");
        log.entries[4] = altered.into_bytes();
        check_fails(
            case,
            &verify(&log.bundle(), &Trust::default()),
            None,
            &format!("entry 4: {words}"),
        );
    };
    let not_canonical = "the entry is not in canonical form";
    check(
        "a space",
        &|text| text.replacen(':', ": ", 1),
        not_canonical,
    );
    check("a newline", &|text| format!("{text}\n"), not_canonical);
    check(
        "an escape",
        &|text| text.replacen("p-1", "p\\u002d1", 1),
        not_canonical,
    );
    check(
        "another order",
        &|text| {
            text.replacen(
                "\"v\":1,\"kind\":\"gate.verdict\"",
                "\"kind\":\"gate.verdict\",\"v\":1",
                1,
            )
        },
        not_canonical,
    );
    check(
        "a null",
        &|text| text.replacen("\"links\"", "\"key\":null,\"links\"", 1),
        not_canonical,
    );
    check(
        "an empty list",
        &|text| text.replacen("]}", "],\"artifacts\":[]}", 1),
        not_canonical,
    );
    let no_header = "the entry is not a header of this format";
    let body = Hash::of(&Log::new(key(1)).bodies[4]).to_string();
    check(
        "another field",
        &|text| text.replacen("\"links\"", "\"x\":1,\"links\"", 1),
        no_header,
    );
    check(
        "a field twice",
        &|text| text.replacen("\"v\":1", "\"v\":1,\"v\":1", 1),
        no_header,
    );
    check(
        "a field less",
        &|text| text.replacen("\"actor\":\"p-1\",", "", 1),
        no_header,
    );
    check(
        "capital digits",
        &|text| text.replacen(&body, &body.to_uppercase(), 1),
        no_header,
    );
    check("nothing", &|_| String::new(), no_header);
    check(
        "a later version",
        &|text| text.replacen("\"v\":1", "\"v\":2", 1),
        "the entry has header version 2",
    );
}
