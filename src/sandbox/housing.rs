//! The native partner: housing files of the same people, over gRPC.

use std::{collections::HashMap, io, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header::CONTENT_TYPE};
use hyper::body::Incoming;
use prost::Message;

use super::{
    body::{Piece, Script},
    dossier::dossier,
    grpc, housing_trouble,
    journal::{Journal, Played},
    population::Population,
    server::Source,
    trouble::Trouble,
};
use crate::frame::{frame, receive};
use crate::proto::sandbox::{GetHousingFileRequest, GetHousingFileResponse};

/// The one method.
const PATH: &str = "/sandbox.housing.v1.HousingService/GetHousingFile";

const MAX_REQUEST: usize = 64 * 1024;

/// The service. Its answers are encoded and framed once, at the start.
pub struct Housing {
    frames: HashMap<String, Bytes>,
    unknown: Bytes,
    someone_else: Bytes,
    journal: Arc<Journal>,
    delay: Duration,
}

impl Housing {
    pub fn new(population: &Population, journal: Arc<Journal>, delay: Duration) -> Self {
        let mut frames = HashMap::new();
        for (household, person) in population.everybody() {
            if let Some(file) = dossier(population, household, person) {
                let answer = GetHousingFileResponse { file: Some(file) };
                frames.insert(person.insz.clone(), frame(&answer.encode_to_vec()));
            }
        }
        let unknown = frame(&[]);
        let other = population.someone_else().and_then(|(_, person)| frames.get(&person.insz));
        let someone_else = other.unwrap_or(&unknown).clone();
        Self { frames, unknown, someone_else, journal, delay }
    }

    /// The framed answer about a person; empty about somebody unknown.
    pub fn frame(&self, insz: &str) -> Bytes {
        self.frames.get(insz).unwrap_or(&self.unknown).clone()
    }

    /// The framed answer about whom nobody asked.
    pub fn someone_else(&self) -> Bytes {
        self.someone_else.clone()
    }
}

impl Source for Housing {
    const ALPN: &'static [u8] = b"h2";

    async fn answer(&self, request: Request<Incoming>) -> io::Result<Response<Script>> {
        let (head, body) = request.into_parts();
        let content_type = head.headers.get(CONTENT_TYPE).map(http::HeaderValue::as_bytes).unwrap_or_default();
        if !content_type.starts_with(b"application/grpc") {
            let mut response = Response::new(Script::default());
            *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Ok(response);
        }
        if head.uri.path() != PATH {
            return Ok(grpc::status(12, "no such method"));
        }
        let message = receive(body, MAX_REQUEST).await.ok().and_then(|received| received.message);
        let question = message.and_then(|message| GetHousingFileRequest::decode(message).ok());
        let insz = question.as_ref().map(|question| question.insz.as_str());
        self.journal.note(Played::Housing, &head.headers, insz)?;
        let Some(insz) = insz else {
            return Ok(grpc::status(3, "the request cannot be read"));
        };
        let answer = |frame| grpc::ok([Piece::Bytes(frame)]);
        match Trouble::of(insz) {
            None => Ok(answer(self.frame(insz))),
            Some(Trouble::Slow) => {
                tokio::time::sleep(self.delay).await;
                Ok(answer(self.frame(insz)))
            }
            Some(trouble) => Ok(housing_trouble::play(self, trouble)),
        }
    }
}
