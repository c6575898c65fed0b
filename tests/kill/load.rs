//! Clients that ask without pause, over a few connections with many streams each, and keep what they were answered.

use std::sync::Arc;

use prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor, Value};
use sha2::{Digest as _, Sha256};
use sluis::cli::client::{Client, Refusal, Reply};
use sluis::cli::demo::Setting;
use sluis::cli::token;
use sluis::clock;
use sluis::disclosure::entry::Kind;
use sluis::domain::vocabulary::Vocabulary;
use sluis::rpc::exchange::ENTRY_ID;
use sluis::sandbox::{self, Trouble};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use uuid::Uuid;

use crate::support::{Ask, HOUSING, PERSON};

/// Connections of the city, which asks the national register, and of the OCMW, which asks the housing partner.
const CONNECTIONS: [(&str, usize); 2] = [("stad-leuven", 2), ("ocmw-leuven", 4)];
const STREAMS_EACH: usize = 8;
/// Calls under way at once.
pub const STREAMS: usize = 6 * STREAMS_EACH;
/// Every so many calls there is one that must be refused before anyone is asked.
const REFUSED_EVERY: usize = 8;

/// An answer that reached a client, and the entry that it named.
pub struct Seen {
    pub index: u64,
    pub id: Uuid,
    pub answer: Answer,
}

pub enum Answer {
    /// Data, by their digest.
    Released { digest: [u8; 32] },
    /// A refusal, by its reason.
    Refused { reason: String },
}

impl Answer {
    /// The kind of its entry.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Released { .. } => Kind::Released,
            Self::Refused { .. } => Kind::Refused,
        }
    }
}

/// Load on a gateway. It ends by itself when the gateway is gone.
pub struct Load(UnboundedReceiver<Seen>);

impl Load {
    pub fn start(setting: &Setting, vocabulary: &Vocabulary, address: &str) -> Self {
        let (tell, told) = unbounded_channel();
        let people: Arc<[String]> = everybody().into();
        for (organisation, connections) in CONNECTIONS {
            let method = if organisation == "stad-leuven" { PERSON } else { HOUSING };
            let party = setting.party(organisation).unwrap();
            let token = token::mint(&party.token(), clock::now()).unwrap();
            for _ in 0..connections {
                let (certificate, key) = (&party.issued.certificate, &party.issued.key);
                let client = Client::new(address, &setting.authority(), certificate, key).unwrap();
                let client = Arc::new(client);
                for number in 0..STREAMS_EACH {
                    let stream = Stream {
                        method,
                        input: vocabulary.method(method).unwrap().input.clone(),
                        client: client.clone(),
                        token: token.clone(),
                        people: people.clone(),
                        number,
                    };
                    tokio::spawn(stream.run(tell.clone()));
                }
            }
        }
        Self(told)
    }

    /// The next so many answers.
    pub async fn take(&mut self, count: usize) -> Vec<Seen> {
        let mut seen = Vec::new();
        while seen.len() < count {
            seen.push(self.0.recv().await.expect("the gateway ended by itself"));
        }
        seen
    }

    /// All that came until the gateway was gone.
    pub async fn rest(mut self) -> Vec<Seen> {
        let mut seen = Vec::new();
        while let Some(one) = self.0.recv().await {
            seen.push(one);
        }
        seen
    }
}

/// Synthetic people about whom the sources answer without trouble.
fn everybody() -> Vec<String> {
    let listed = sandbox::list().unwrap().into_iter().map(|listed| listed.insz);
    listed.filter(|insz| Trouble::of(insz).is_none()).collect()
}

struct Stream {
    method: &'static str,
    input: MessageDescriptor,
    client: Arc<Client>,
    token: String,
    people: Arc<[String]>,
    number: usize,
}

impl Stream {
    async fn run(self, tell: UnboundedSender<Seen>) {
        let method = self.method;
        for call in self.number.. {
            let mut ask = if method == HOUSING { Ask::housing("") } else { Ask::default() };
            if call % REFUSED_EVERY == REFUSED_EVERY - 1 {
                ask.purpose = "marketing";
            }
            let mut question = DynamicMessage::new(self.input.clone());
            let subject = self.people[call * 7 % self.people.len()].clone();
            question.set_field_by_name("insz", Value::String(subject));
            let answered =
                self.client.call(method, &self.token, &ask.metadata(), &question.encode_to_vec()).await;
            let Some(seen) = seen(answered) else { return };
            // The test has what it wants, and waits for the end only.
            let _ = tell.send(seen);
        }
    }
}

/// What was answered; nothing where the gateway is gone.
fn seen(answered: Result<Reply, Box<Refusal>>) -> Option<Seen> {
    let (headers, index, answer) = match answered {
        Ok(Reply { message, log_index, headers }) => {
            (headers, log_index, Answer::Released { digest: Sha256::digest(&message).into() })
        }
        Err(refusal) => {
            let reason = refusal.reason?;
            (refusal.headers, refusal.log_index, Answer::Refused { reason })
        }
    };
    let id = headers.get(ENTRY_ID).unwrap().to_str().unwrap().parse().unwrap();
    Some(Seen { index: index.unwrap(), id, answer })
}
