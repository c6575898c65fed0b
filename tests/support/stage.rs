//! A gateway between a caller and sources of the test's own: what they say and hear is in the test's hands.

use sluis::cli::demo::Setting;
use sluis::cli::serve;
use sluis::cli::token;
use sluis::clock;
use sluis::config::Config;
use sluis::domain::vocabulary::Vocabulary;

use super::caller::{Caller, Whole};
use super::source::{Source, Speaks};
use super::{Ask, Folder, Plan, World};

pub struct Stage {
    pub world: World,
    pub magda: Source,
    pub housing: Source,
}

/// A setting whose gateway asks two sources of the test's own.
pub async fn scripted(folder: &Folder, configure: fn(String) -> String) -> (Setting, Source, Source) {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let setting = Setting::make(&folder.0, clock::now()).unwrap();
    let magda = Source::start(&setting, Speaks::Http1).await;
    let housing = Source::start(&setting, Speaks::Http2).await;
    setting.configure(magda.address, housing.address).unwrap();
    let text = std::fs::read_to_string(setting.config()).unwrap();
    std::fs::write(setting.config(), configure(text)).unwrap();
    (setting, magda, housing)
}

impl Stage {
    pub async fn start(name: &str) -> Self {
        Self::configured(name, |text| text).await
    }

    pub async fn configured(name: &str, configure: fn(String) -> String) -> Self {
        let folder = Folder::new(name);
        let (setting, magda, housing) = scripted(&folder, configure).await;
        let sandbox = World::sources(&setting, &folder.0, &Plan::default(), ([127, 0, 0, 1], 0).into()).await;
        let config = Config::read(&setting.config()).unwrap();
        let running = Some(serve::start(config.clone()).await.unwrap());
        let vocabulary = Vocabulary::embedded().unwrap();
        let world = World { setting, sandbox, config, running, vocabulary, folder };
        Self { world, magda, housing }
    }

    /// A caller with an organisation's certificate.
    pub async fn caller(&self, organisation: &str) -> Caller {
        let party = self.world.setting.party(organisation).unwrap();
        Caller::connect(&self.world.address(), &self.world.setting.authority(), &party.issued).await
    }

    /// One question.
    pub async fn ask(&self, caller: &Caller, ask: &Ask<'_>) -> Whole {
        ask_as(&self.world.setting, caller, ask, &self.world.question(ask.method, ask.subject)).await
    }
}

/// Puts a question with a fresh token.
pub async fn ask_as(setting: &Setting, caller: &Caller, ask: &Ask<'_>, message: &[u8]) -> Whole {
    let bearer =
        format!("Bearer {}", token::mint(&setting.party(ask.who).unwrap().token(), clock::now()).unwrap());
    let mut headers = ask.metadata();
    headers.push(("authorization", &bearer));
    caller.call(ask.method, &headers, message).await
}
