//! The sources, played on their real wires with synthetic people: for the demo, the tests, and
//! newcomers who want to see an answer before they have a certificate.
//!
//! *MAGDA* answers GeefPersoon 02.02 and four services of the Crossroads Bank in SOAP over HTTP/1.1, *housing* is a partner that speaks
//! gRPC; both ask for client certificates. All that they say is fixed: no clock, no randomness.
//! Some people are [`Trouble`]s: asking about them makes a source misbehave.

mod body;
mod codes;
mod dossier;
mod file;
mod grpc;
mod housing;
mod housing_trouble;
mod journal;
mod ksz;
mod magda;
mod magda_trouble;
mod operation;
mod population;
mod reply;
mod server;
mod soap;
mod trouble;
mod xml;

#[cfg(test)]
mod tests;

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use rustls::ServerConfig;
use tokio::{net::TcpListener, task::JoinHandle};

use self::{housing::Housing, journal::Journal, magda::Magda, population::Population};
pub use self::{
    journal::{Played, pseudonym},
    magda::PATH as MAGDA_PATH,
    trouble::{Trouble, UNDECLARED},
};

/// How the sandbox runs.
pub struct Settings {
    /// Where MAGDA listens; port 0 takes a free one.
    pub magda: SocketAddr,
    /// Where the native partner listens; port 0 takes a free one.
    pub housing: SocketAddr,
    /// Certificate, and the demand for one of the client. ALPN is set here.
    pub tls: ServerConfig,
    /// The values of `Afzender/Identificatie` that MAGDA knows; others meet exception 40001.
    pub identifications: Vec<String>,
    /// A file to which each question is appended before it is answered:
    /// `source TAB trace id TAB first 16 digits of the SHA-256 of the INSZ` ([`pseudonym`]).
    pub journal: Option<PathBuf>,
    /// How long [`Trouble::Slow`] waits.
    pub delay: Duration,
}

/// The running sources. They stop when this is dropped.
pub struct Sandbox {
    magda: (SocketAddr, JoinHandle<()>),
    housing: (SocketAddr, JoinHandle<()>),
    journal: Arc<Journal>,
}

impl Sandbox {
    /// Binds both sources and serves them on the current runtime.
    /// Fails if an address is taken or the journal cannot be opened.
    pub async fn start(settings: Settings) -> io::Result<Self> {
        let population = Arc::new(population()?);
        let journal = Arc::new(Journal::open(settings.journal.as_deref())?);
        let magda = Magda::new(
            Arc::clone(&population),
            settings.identifications,
            Arc::clone(&journal),
            settings.delay,
        )?;
        let housing = Housing::new(&population, Arc::clone(&journal), settings.delay);
        Ok(Self {
            magda: serve(settings.magda, &settings.tls, magda).await?,
            housing: serve(settings.housing, &settings.tls, housing).await?,
            journal,
        })
    }

    /// Where a source listens.
    pub const fn address(&self, source: Played) -> SocketAddr {
        match source {
            Played::Magda => self.magda.0,
            Played::Housing => self.housing.0,
        }
    }

    /// How many questions a source has received, unreadable ones too.
    pub fn questions(&self, source: Played) -> u64 {
        self.journal.questions(source)
    }

    /// Takes one source down, connections and all, and frees its address.
    pub async fn stop(&mut self, source: Played) {
        let task = match source {
            Played::Magda => &mut self.magda.1,
            Played::Housing => &mut self.housing.1,
        };
        if task.is_finished() {
            return;
        }
        task.abort();
        // It ends with the cancellation that was just asked for.
        let _ = task.await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.magda.1.abort();
        self.housing.1.abort();
    }
}

/// One line of `sluis sandbox --list`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Whom to ask for.
    pub insz: String,
    /// First and last names.
    pub name: String,
    /// What is worth knowing about them.
    pub note: String,
}

/// Everybody whom the sources know, troubles last.
pub fn list() -> io::Result<Vec<Listed>> {
    let population = population()?;
    let person = |(household, person): (&population::Household, &population::Person)| Listed {
        insz: person.insz.clone(),
        name: person.full_name(),
        note: Trouble::of(&person.insz)
            .map_or_else(|| note(household, person), |trouble| trouble.description().to_owned()),
    };
    Ok(population.everybody().map(person).collect())
}

fn note(household: &population::Household, person: &population::Person) -> String {
    let mut notes = vec![household.name.replace('-', " ")];
    if let Some(period) = &person.protected {
        notes.push(format!("address protected from {} until {}", period.from, period.until));
    }
    if let Some(date) = &person.deceased {
        notes.push(format!("deceased {date}"));
    }
    if let Some(old) = &person.replaces {
        notes.push(format!("formerly {old}"));
    }
    if household.abroad.is_some() {
        notes.push("lives abroad".to_owned());
    }
    notes.join("; ")
}

fn population() -> io::Result<Population> {
    Population::synthetic().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

async fn serve<S: server::Source>(
    address: SocketAddr,
    tls: &ServerConfig,
    source: S,
) -> io::Result<(SocketAddr, JoinHandle<()>)> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok((address, tokio::spawn(server::serve(listener, tls.clone(), Arc::new(source)))))
}
