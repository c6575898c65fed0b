//! Who may hold a connection: bounded by address until the handshake is done, by registered key after it, so that
//! neither strangers nor one caller take the places of all others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use crate::identity::certificate::KeyThumbprint;

/// Connections of strangers that are being told that they are.
const STRANGERS: usize = 32;

/// Who holds a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Holder {
    /// Somebody at this address, in a handshake.
    Address(IpAddr),
    /// A system whose key is registered.
    Key(KeyThumbprint),
    /// Anybody else.
    Stranger,
}

/// The places, counted.
pub struct Admission {
    connections: usize,
    counts: Mutex<Counts>,
}

/// Messages of one holder that are received at once, over all its connections.
const MESSAGES: usize = 128;

/// What one holder has.
struct Held {
    places: usize,
    receiving: Arc<Semaphore>,
}

#[derive(Default)]
struct Counts {
    holders: HashMap<Holder, Held>,
    handshakes: usize,
    known: usize,
}

/// A place that is held until this is dropped.
#[must_use = "a place is given back when this is dropped"]
pub struct Place {
    admission: Arc<Admission>,
    holder: Holder,
    receiving: Arc<Semaphore>,
}

impl Place {
    /// What the holder may have received at once, over all its places.
    pub fn receiving(&self) -> &Semaphore {
        &self.receiving
    }
}

impl Admission {
    /// Places for `connections` connections of known callers, and for as many handshakes.
    pub fn new(connections: usize) -> Arc<Self> {
        Arc::new(Self { connections, counts: Mutex::default() })
    }

    /// A place for one more connection; none where the holder, or all together, have as many as they may.
    pub fn enter(self: &Arc<Self>, holder: Holder) -> Option<Place> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let held = counts.holders.get(&holder).map_or(0, |held| held.places);
        let full = counts.all(holder).is_some_and(|all| *all >= self.connections);
        if full || held >= self.share(holder) {
            return None;
        }
        let entry = counts.holders.entry(holder);
        let held = entry.or_insert_with(|| Held { places: 0, receiving: Arc::new(Semaphore::new(MESSAGES)) });
        held.places += 1;
        let receiving = Arc::clone(&held.receiving);
        if let Some(all) = counts.all(holder) {
            *all += 1;
        }
        Some(Place { admission: Arc::clone(self), holder, receiving })
    }

    /// The most that one holder may have: a quarter, but a few in any case.
    fn share(&self, holder: Holder) -> usize {
        match holder {
            Holder::Address(_) | Holder::Key(_) => self.connections.div_ceil(4).max(8).min(self.connections),
            Holder::Stranger => STRANGERS,
        }
    }
}

impl Counts {
    /// What all holders of its kind have together, where that is bounded.
    fn all(&mut self, holder: Holder) -> Option<&mut usize> {
        match holder {
            Holder::Address(_) => Some(&mut self.handshakes),
            Holder::Key(_) => Some(&mut self.known),
            Holder::Stranger => None,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.admission.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(all) = counts.all(self.holder) {
            *all -= 1;
        }
        match counts.holders.get_mut(&self.holder) {
            Some(held) if held.places > 1 => held.places -= 1,
            // Who holds nothing is forgotten.
            _ => drop(counts.holders.remove(&self.holder)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Holder = Holder::Address(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));
    const THERE: Holder = Holder::Address(IpAddr::V4(std::net::Ipv4Addr::BROADCAST));

    /// Takes places until there are no more.
    fn fill(admission: &Arc<Admission>, holder: Holder) -> Vec<Place> {
        std::iter::from_fn(|| admission.enter(holder)).collect()
    }

    #[test]
    fn nobody_takes_the_places_of_all() {
        for (connections, share) in [(1, 1), (8, 8), (30, 8), (1024, 256)] {
            let admission = Admission::new(connections);
            let here = fill(&admission, HERE);
            assert_eq!(here.len(), share, "{connections}");
            assert_eq!(fill(&admission, THERE).len(), share.min(connections - share), "{connections}");
            assert_eq!(fill(&admission, Holder::Stranger).len(), STRANGERS, "{connections}");
            let key = Holder::Key(KeyThumbprint::of(b"a"));
            assert_eq!(
                fill(&admission, key).len(),
                share,
                "handshakes take no place of a caller: {connections}"
            );
        }
    }

    #[test]
    fn a_place_that_is_given_back_is_there_again() {
        let admission = Admission::new(2);
        let mut places = fill(&admission, HERE);
        assert!(places.len() == 2 && admission.enter(HERE).is_none());
        places.pop();
        assert!(admission.enter(HERE).is_some());
        drop(places);
        assert!(admission.counts.lock().unwrap().holders.is_empty());
    }
}
