//! The values of `docs/log-format.md`, which another implementation computed. They never change.

use super::checkpoint::{Checkpoint, VerifierKey};
use super::commitment::{self, Seed};
use super::entry::{self, Kind, Leaf};
use super::keys::{LogKeys, TokenKind};
use super::merkle::Hash;
use super::record::{COLUMNS, Column, Record, RecordBuilder};
use super::seal::{self, Draft, UnopenedError};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Bytes that count up from `from`.
fn counting<const N: usize>(from: u8) -> [u8; N] {
    std::array::from_fn(|at| from + u8::try_from(at).unwrap())
}

fn keys() -> LogKeys {
    LogKeys::from_secret(&counting(0))
}

fn now() -> Timestamp {
    "2026-11-22T10:00:00.123456Z".parse().unwrap()
}

fn record() -> Record {
    RecordBuilder::new()
        .time(Column::TimeAsked, now())
        .text(Column::Requester, "0207.437.468")
        .text(Column::EndUser, "ambtenaar-17")
        .text(Column::Case, "GAS/2026/114")
        .text(Column::Purpose, "parking-offender")
        .text(Column::SubjectAsked, "00610100156")
        .text(Column::FieldsRequested, "name\naddress")
        .text(Column::Outcome, "RELEASED")
        .number(Column::Asked, 2)
        .build()
}

fn seed() -> Seed {
    Seed::new(counting(100))
}

fn sealed() -> seal::SealedEntry {
    let mut random = [0; 42];
    random[..32].copy_from_slice(&counting::<32>(100));
    random[32..].copy_from_slice(&counting::<10>(200));
    seal::seal(&keys(), &Draft::new(Kind::Released, record()), now(), &random).unwrap()
}

#[test]
fn the_record_and_its_commitment() {
    let digest: Hash = Sha256::digest(record().as_bytes()).into();
    assert_eq!((record().as_bytes().len(), COLUMNS), (225, 31));
    assert_eq!(hex(&digest), hex(&Sha256::digest(RECORD.concat())));
    let opening = commitment::open(&seed(), &record(), Column::SubjectAsked);
    assert_eq!(hex(&opening.salt), "94d485d75fe02837e047fa0ff9779091c365f4e0146e8f3f451c02a2340f2755");
    assert_eq!(hex(&opening.digests[17]), "32d957928f6eff31493c751c2085ca03d3098159f81a13276e08cf29990da1ae");
    assert_eq!(hex(&opening.digests[30]), "1f983d312e44403cb4663413d2400226805fd8c6acbec5133c88e682df736162");
    let commitment = commitment::commit(&seed(), &record());
    assert_eq!(hex(&commitment), "daccf05e51db8d0247fa8a3893d04c4f3a7a5fda962675858ee4af7bb20ae9f9");
}

/// The record, value by value.
const RECORD: [&[u8]; 22] = [
    b"\x00\x1f\x00\x00\x00\x08\x00\x06\x60\xda\x8a\x53\x6a\x40",
    b"\0\0\0\0",
    b"\0\0\0\x0c0207.437.468",
    b"\0\0\0\0",
    b"\0\0\0\0",
    b"\0\0\0\0",
    b"\0\0\0\x0cambtenaar-17",
    b"\0\0\0\0",
    b"\0\0\0\x0cGAS/2026/114",
    b"\0\0\0\0\0\0\0\0\0\0\0\0",
    b"\0\0\0\0\0\0\0\0\0\0\0\0",
    b"\0\0\0\x10parking-offender",
    b"\0\0\0\0",
    b"\0\0\0\x0b00610100156",
    b"\0\0\0\0",
    b"\0\0\0\x0cname\naddress",
    b"\0\0\0\0\0\0\0\0",
    b"\0\0\0\x08RELEASED",
    b"\0\0\0\0\0\0\0\0\0\0\0\0",
    b"\0\0\0\0\0\0\0\0\0\0\0\0",
    b"\0\0\0\x08\0\0\0\0\0\0\0\x02",
    b"\0\0\0\0",
];

#[test]
fn the_leaf_and_its_hash() {
    let sealed = sealed();
    assert_eq!(
        hex(&sealed.leaf),
        "646c31000301005201a202b2c57b78c98acbcccdcecfd0d1\
         daccf05e51db8d0247fa8a3893d04c4f3a7a5fda962675858ee4af7bb20ae9f9"
    );
    assert_eq!(hex(&sealed.leaf_hash), "4d5c56d7585704b8443051b1558de7d6f4dbd283988590ffaf4284789125d168");
    assert_eq!(entry::entry_time(&sealed.entry_id).as_millisecond(), now().as_millisecond());
    assert_eq!(sealed.closes, Some(2));
}

#[test]
fn the_sealed_payload() {
    let sealed = sealed();
    assert_eq!(sealed.payload.len(), 32 + 225 + 16);
    assert_eq!(
        hex(&Sha256::digest(&sealed.payload)),
        "4b2a03e658c77869e6ad2a0b6f978629060bfea6c999033219c59d11f688c0b3"
    );
    let leaf = Leaf::decode(&sealed.leaf).unwrap();
    assert_eq!(seal::open(&keys(), &leaf, &sealed.payload).unwrap().record, record());
}

#[test]
fn the_search_tokens() {
    let tokens = sealed().tokens;
    for (kind, token) in [
        (TokenKind::Subject, "84fcce7b91cbe2bb46b12ec8b3eb20b8"),
        (TokenKind::User, "f3ba4ef984d5049224c5adb4b43edc0a"),
        (TokenKind::Organisation, "42772b1e9f154362c8d3aa6dfc4a86db"),
        (TokenKind::Case, "f5c11aa7730cb9f8dd3c6eef5e245144"),
    ] {
        assert_eq!(hex(&tokens.token(kind).unwrap()), token, "{kind:?}");
    }
}

#[test]
fn the_head_the_place_and_the_checkpoint() {
    let root: Hash = Sha256::digest("root").into();
    assert_eq!(
        hex(&keys().head_mac(7, &root, 5)),
        "3c38f979612b4371d93c297cd2c22c710a889b6ba4f64048a39c67c3c5dd32c9"
    );
    let place = keys().place_mac(6, &sealed().leaf_hash, Some(2));
    assert_eq!(hex(&place), "347a92b5d587e28b4b3f9bf1ee23f071");

    let origin = "gateway.example/disclosures/2026";
    let verifier = VerifierKey::new(origin, keys().signer().verifying_key());
    assert_eq!(
        verifier.to_string(),
        "gateway.example/disclosures/2026+33c6afaf+ASmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X"
    );
    let note = Checkpoint { origin: origin.to_owned(), size: 7, root }.sign(keys().signer());
    assert_eq!(
        note,
        "gateway.example/disclosures/2026\n7\nSBNJTRN+FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7I=\n\n\
         — gateway.example/disclosures/2026 \
         M8avr4Y2t9snNxV5s6NRxQtPcWIm2JbC48iGQMlBiHygHdTt0J5+rtWDqZhyKSHSjLwbq7iLYHLayXqvwjhLZrZ4xQk=\n"
    );
}

#[test]
fn one_column_opens_without_the_others() {
    let commitment = commitment::commit(&seed(), &record());
    for column in Column::ALL {
        let opening = commitment::open(&seed(), &record(), column);
        assert!(commitment::verify(&commitment, &opening), "{}", column.name());

        let mut other = opening.clone();
        other.value.push(b'x');
        assert!(!commitment::verify(&commitment, &other), "another value of {}", column.name());
        let mut other = opening.clone();
        other.column = other.column % 31 + 1;
        assert!(!commitment::verify(&commitment, &other), "{} under another name", column.name());
        let mut other = opening;
        other.digests.pop();
        assert!(!commitment::verify(&commitment, &other), "{} without all digests", column.name());
    }
}

#[test]
fn a_payload_opens_only_as_it_was_sealed() {
    let sealed = sealed();
    let leaf = Leaf::decode(&sealed.leaf).unwrap();
    let refused = |leaf: &Leaf, payload: &[u8]| seal::open(&keys(), leaf, payload).err();
    for at in 0..sealed.payload.len() {
        let mut other = sealed.payload.clone();
        other[at] ^= 1;
        assert_eq!(refused(&leaf, &other), Some(UnopenedError::Cipher), "byte {at}");
    }
    let other = Leaf { kind: Kind::Refused, ..leaf };
    assert_eq!(refused(&other, &sealed.payload), Some(UnopenedError::Cipher));
    assert_eq!(refused(&leaf, &[]), Some(UnopenedError::Cipher));
    let other = LogKeys::from_secret(&[1; 64]);
    assert!(seal::open(&other, &leaf, &sealed.payload).is_err());
}

#[test]
fn nothing_in_a_leaf_follows_from_the_person() {
    let seal_with = |seed: u8| {
        let draft = Draft::new(Kind::Released, record());
        seal::seal(&keys(), &draft, now(), &[seed; 42]).unwrap().leaf
    };
    assert_ne!(seal_with(1)[24..], seal_with(2)[24..], "the same record twice");
}

#[test]
fn a_record_beyond_the_bound_is_not_sealed() {
    let text = "x".repeat(seal::MAX_RECORD);
    let record = RecordBuilder::new().text(Column::Detail, &text).build();
    let sealed = seal::seal(&keys(), &Draft::new(Kind::Config, record), now(), &[0; 42]);
    assert_eq!(sealed.err(), Some(seal::SealError::TooLarge));
}
