//! The native partner from outside.

use super::*;

#[tokio::test]
async fn housing_gives_files() {
    let world = world(None).await;
    let hilde = someone(|person| person.first == ["Hilde"]);
    let seen = world.housing(&hilde).await;
    assert_eq!((seen.status, seen.grpc_status()), (StatusCode::OK, "0"));
    let file = seen.file().file.unwrap();
    assert_eq!((file.insz, file.household_size), (hilde, 2));
    assert!(file.address_protection.is_some());
    let sizes: Vec<usize> = population()
        .unwrap()
        .everybody()
        .filter_map(|both| {
            let file = dossier::dossier(&population().unwrap(), both.0, both.1);
            file.map(|file| GetHousingFileResponse { file: Some(file) }.encoded_len())
        })
        .collect();
    assert!(sizes.len() > 40 && sizes.iter().all(|size| (750..1100).contains(size)), "{sizes:?}");
    let child = someone(|person| person.first == ["Nina"]);
    for nobody in ["62710512470", child.as_str(), ""] {
        let seen = world.housing(nobody).await;
        assert_eq!((seen.grpc_status(), seen.body.as_slice()), ("0", [0; 5].as_slice()));
    }
    assert_eq!(world.call("/sandbox.housing.v1.HousingService/Other", &[0; 5]).await.grpc_status(), "12");
    let path = "/sandbox.housing.v1.HousingService/GetHousingFile";
    assert_eq!(world.call(path, &[0, 0, 0, 0, 9, 1]).await.grpc_status(), "3");
    assert_eq!(world.call(path, &[1, 0, 0, 0, 0]).await.grpc_status(), "3");
}

#[tokio::test]
async fn housing_misbehaves() {
    let world = world(None).await;
    for trouble in Trouble::ALL {
        let seen = world.housing(trouble.insz()).await;
        let message = seen.body.get(5..).unwrap_or_default();
        let decoded = GetHousingFileResponse::decode(message).ok().and_then(|answer| answer.file);
        let own = decoded.as_ref().is_some_and(|file| file.insz == trouble.insz());
        let right = match trouble {
            Trouble::Slow => own && seen.grpc_status() == "0",
            Trouble::SoapFault => seen.grpc_status() == "13",
            Trouble::ServerError => seen.status == 500 && seen.grpc_status().is_empty(),
            Trouble::Unavailable => seen.grpc_status() == "14",
            Trouble::Throttled => seen.grpc_status() == "8",
            Trouble::NotInscribed => seen.grpc_status() == "9",
            Trouble::AccessRefused => seen.grpc_status() == "7",
            Trouble::Garbage | Trouble::InvalidUtf8 => decoded.is_none() && !message.is_empty(),
            Trouble::Truncated => !seen.broken && seen.grpc_status() == "0" && decoded.is_none(),
            Trouble::Expansion => seen.body[0] == 1 && seen.headers["grpc-encoding"] == "gzip",
            Trouble::Huge => own && seen.body.len() > 32 << 20 && seen.is_one_message(),
            Trouble::SomeoneElse => decoded.is_some() && !own,
            Trouble::TwoPeople => !seen.is_one_message() && seen.grpc_status() == "0",
            Trouble::Undeclared => own && String::from_utf8_lossy(message).matches(UNDECLARED).count() > 30,
            Trouble::PersonalStatus => {
                own && seen.grpc_status() == "2" && seen.trailers["grpc-message"] == UNDECLARED
            }
            Trouble::Closed => seen.broken && seen.body.len() > 5,
        };
        assert!(right, "{trouble:?}");
    }
}

#[tokio::test]
async fn undeclared_fields_change_nothing_for_a_reader_of_declared_ones() {
    let world = world(None).await;
    let decorated = world.housing(Trouble::Undeclared.insz()).await.file().file.unwrap();
    let plain = world.housing(Trouble::Slow.insz()).await.file().file.unwrap();
    assert_eq!(decorated.decisions.len(), plain.decisions.len());
    assert_eq!(decorated.address, plain.address);
    assert_eq!(decorated.landlord, plain.landlord);
}
