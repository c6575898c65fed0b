//! Answers and troubles of a partner that speaks gRPC.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::support::flock::{Flock, birds};
use crate::support::source::Saying;
use crate::support::{Ask, HOUSING, PIETER};
use crate::{Cage, leave, question};

/// A field that is delimited by its length.
fn text(number: u32, value: impl AsRef<[u8]>) -> Vec<u8> {
    let mut field = Vec::new();
    prost::encoding::encode_key(number, prost::encoding::WireType::LengthDelimited, &mut field);
    prost::encoding::encode_varint(value.as_ref().len() as u64, &mut field);
    field.extend_from_slice(value.as_ref());
    field
}

fn number(number: u32, value: u64) -> Vec<u8> {
    let mut field = Vec::new();
    prost::encoding::encode_key(number, prost::encoding::WireType::Varint, &mut field);
    prost::encoding::encode_varint(value, &mut field);
    field
}

/// Undeclared fields of every wire type, with canaries wherever there is room.
fn undeclared(flock: &mut Flock) -> Vec<u8> {
    let mut bird = || flock.next();
    let any = [text(1, format!("type.googleapis.com/{}", bird())), text(2, text(1, bird()))].concat();
    let entry = [text(1, bird()), text(2, text(1, bird()))].concat();
    let (open, close) = ([0xe3, 0xfa, 0x01], [0xe4, 0xfa, 0x01]); // group 4012
    let group = [&open[..], &text(1, bird()), &text(3, bird()), &close[..]].concat();
    // A canary in eight and four bytes of their own.
    let fixed = [&[0xe9, 0xfa, 0x01][..], b"kanarie0", &[0xf5, 0xfa, 0x01], b"kana"].concat();
    [text(99, bird()), text(4000, any), text(4001, entry), group, fixed, number(4002, 0x6b61_6e61_7269_656b)]
        .concat()
}

/// A file with everything, and what may leave of it.
fn file(flock: &mut Flock) -> (Vec<u8>, Vec<u8>) {
    let (mut all, mut granted) = (Vec::new(), Vec::new());
    let mut both = |field: Vec<u8>| {
        all.extend_from_slice(&field);
        granted.extend_from_slice(&field);
        // What is not granted goes between.
        all.extend(undeclared(flock));
        flock.next()
    };
    // HousingFile, by the numbers of its proto.
    let mut bird = both(text(1, PIETER));
    bird = both(text(2, bird));
    bird = both(text(3, [text(1, &bird), text(2, format!("{bird}a")), text(2, format!("{bird}b"))].concat()));
    bird = both(text(4, [text(1, &bird), text(6, &bird)].concat()));
    // Of the dwelling: label and rent.
    let dwelling = [text(4, &bird), number(8, 64_500)].concat();
    let hidden = [
        text(1, flock.next()),
        number(2, 2),
        text(3, flock.next()),
        text(4, flock.next()),
        text(4, &bird),
        number(5, 7_700_421),
        number(6, 7_700_422),
        number(8, 64_500),
        undeclared(flock),
    ];
    all.extend(text(6, hidden.concat()));
    granted.extend(text(6, dwelling));
    for _ in 0..2 {
        let (number_of, ground) = (flock.next(), flock.next());
        let decision = [text(1, number_of), number(3, 1), number(4, 15_000), text(7, ground)].concat();
        all.extend(text(7, [&decision[..], &undeclared(flock)].concat()));
        granted.extend(text(7, decision));
    }
    let name = [text(1, flock.next()), text(2, flock.next())].concat();
    all.extend(text(8, [text(1, flock.next()), text(2, name), text(3, flock.next())].concat()));
    for field in [number(9, 3), number(10, 2)] {
        all.extend_from_slice(&field);
        granted.extend(field);
    }
    all.extend(text(11, flock.next()));
    all.extend(text(12, [text(1, flock.next()), text(2, flock.next())].concat()));
    all.extend(text(13, text(1, flock.next())));
    for field in [number(14, 2), text(15, flock.next()), text(16, flock.next())] {
        all.extend_from_slice(&field);
        granted.extend(field);
    }
    all.extend(undeclared(flock));
    (all, granted)
}

#[tokio::test]
async fn of_a_partners_answer_exactly_the_granted_canaries_leave() {
    let mut cage = Cage::start("canary-partner").await;
    let caller = cage.caller("ocmw-leuven").await;
    let question = question(PIETER);
    for round in 0..4 {
        let (all, mut granted) = file(&mut cage.flock);
        let flock = &mut cage.flock;
        let mut message = match round {
            // As usual; then with what a decoder replaces, merges or does not know by that type, before and after.
            0 => text(1, &all),
            1 => [text(1, [text(2, flock.next()), text(3, text(9, flock.next()))].concat()), text(1, &all)]
                .concat(),
            2 => [
                text(1, [number(2, 5), text(14, flock.next()), number(11, 5), all.clone()].concat()),
                text(7, flock.next()),
            ]
            .concat(),
            _ => [undeclared(flock), text(1, &all), text(1, text(16, "replaced")), undeclared(flock)].concat(),
        };
        if round == 3 {
            // The last value of a field counts.
            let last = text(16, "replaced");
            let replaced = granted.len() - text(16, flock.next()).len();
            granted.truncate(replaced);
            granted.extend(last);
        }
        message.extend(undeclared(flock));
        let saying = ["x-persoon", "grpc-message", "set-cookie", "grpc-encoding"]
            .iter()
            .fold(Saying::message(&message), |saying, name| saying.with(name, &flock.next()));
        let details = STANDARD_NO_PAD.encode(flock.next());
        let saying = saying.after("grpc-message", &flock.next()).after("grpc-status-details-bin", &details);
        cage.housing.say(saying.after("x-persoon", &flock.next()));
        let whole = cage.ask(&caller, &Ask::housing(PIETER), &question).await;
        assert_eq!(whole.outcome(), "RELEASED", "{round}");
        assert_eq!(whole.message(), text(1, &granted), "{round}: byte by byte");
        let granted = String::from_utf8_lossy(&granted).into_owned();
        leave(&whole, birds(granted.as_bytes()).into_iter(), &[PIETER]);
    }
    for (saying, outcome) in troubles(&mut cage.flock) {
        cage.housing.say(saying.clone());
        let whole = cage.ask(&caller, &Ask::housing(PIETER), &question).await;
        assert_eq!(whole.outcome(), outcome, "{saying:?}");
        leave(&whole, std::iter::empty(), &[]);
    }
    assert!(cage.housing.heard().iter().all(|heard| heard.path == HOUSING));
    cage.silent().await;
}

/// What a partner may say instead of an answer: each status that there is, alone or behind a whole answer.
fn troubles(flock: &mut Flock) -> Vec<(Saying, &'static str)> {
    let mut troubles = Vec::new();
    for status in (1..=17).map(|code: u32| code.to_string()).chain([String::new(), "-1".into(), "0 ".into()]) {
        let outcome = match status.as_str() {
            "4" => "SOURCE_TOO_SLOW",
            "5" => "RELEASED",
            "7" | "16" => "SOURCE_REFUSED",
            "8" => "SOURCE_THROTTLED",
            "14" => "SOURCE_UNAVAILABLE",
            _ => "SOURCE_ANSWER_INVALID",
        };
        let bird = flock.next();
        let status = if status.is_empty() { &bird } else { &status };
        let details = STANDARD_NO_PAD.encode([text(2, flock.next()), text(3, text(2, flock.next()))].concat());
        let alone = Saying { status: 200, ..Saying::default() };
        let alone = alone.with("content-type", "application/grpc").with("grpc-status", status);
        let alone = alone.with("grpc-message", &flock.next()).with("grpc-status-details-bin", &details);
        troubles.push((alone.with("x-persoon", &flock.next()), outcome));
        let behind = Saying::message(&text(1, file(flock).0)).after("grpc-status", status);
        let behind = behind.after("grpc-message", &flock.next()).after("grpc-status-details-bin", &details);
        troubles.push((behind.after("x-persoon", &flock.next()), outcome));
    }
    let good = Saying::message(&text(1, file(flock).0));
    for (status, outcome) in
        [(404, "SOURCE_UNAVAILABLE"), (500, "SOURCE_UNAVAILABLE"), (302, "SOURCE_UNAVAILABLE")]
    {
        troubles.push((Saying { status, ..good.clone() }, outcome));
    }
    let frames = |parts: &[&[u8]]| Saying { body: parts.concat().into(), ..good.clone() };
    let half = good.body.len() / 2;
    let stray = flock.next();
    let elsewhere = text(1, [text(1, flock.next()), text(2, flock.next())].concat());
    let twice = text(1, [text(1, PIETER), text(1, flock.next())].concat());
    for saying in [
        frames(&[&good.body, &good.body]),
        frames(&[&good.body[..half]]),
        frames(&[&good.body, stray.as_bytes()]),
        frames(&[&[1], &good.body[1..]]).with("grpc-encoding", "gzip"),
        frames(&[]),
        Saying { trailers: http::HeaderMap::new(), ..good.clone() },
        Saying::message(stray.as_bytes()),
        Saying::message(&elsewhere),
        Saying::message(&twice),
        Saying::message(&text(
            1,
            [text(1, PIETER), text(2, [stray.as_bytes(), b"\xc3\x28"].concat())].concat(),
        )),
    ] {
        troubles.push((saying, "SOURCE_ANSWER_INVALID"));
    }
    troubles
}
