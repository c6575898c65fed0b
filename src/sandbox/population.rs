//! The synthetic people, their households, and the places where they live.

use std::collections::HashMap;

use serde::Deserialize;

use super::trouble::Trouble;

const PEOPLE: &str = include_str!("people.toml");

/// All people of the sandbox: those of `people.toml`, and one for each [`Trouble`].
pub struct Population {
    households: Vec<Household>,
    by_insz: HashMap<String, (usize, usize)>,
    replaced: HashMap<String, String>,
}

impl Population {
    /// Reads the embedded people. Fails only if that file is broken.
    pub fn synthetic() -> Result<Self, toml::de::Error> {
        let mut households = toml::from_str::<File>(PEOPLE)?.household;
        households.extend(Trouble::ALL.into_iter().map(troubled));
        let mut by_insz = HashMap::new();
        let mut replaced = HashMap::new();
        for (house, household) in households.iter().enumerate() {
            for (seat, person) in household.members.iter().enumerate() {
                by_insz.insert(person.insz.clone(), (house, seat));
                if let Some(old) = &person.replaces {
                    replaced.insert(old.clone(), person.insz.clone());
                }
            }
        }
        Ok(Self { households, by_insz, replaced })
    }

    /// The person with this INSZ, and the household.
    pub fn find(&self, insz: &str) -> Option<(&Household, &Person)> {
        let (house, seat) = *self.by_insz.get(insz)?;
        let household = self.households.get(house)?;
        Some((household, household.members.get(seat)?))
    }

    /// The INSZ that replaced this one.
    pub fn replacement(&self, insz: &str) -> Option<&str> {
        self.replaced.get(insz).map(String::as_str)
    }

    /// Everybody, household by household.
    pub fn everybody(&self) -> impl Iterator<Item = (&Household, &Person)> {
        self.households
            .iter()
            .flat_map(|household| household.members.iter().map(move |person| (household, person)))
    }

    /// Those who have this person as a parent.
    pub fn children(&self, insz: &str) -> impl Iterator<Item = &Person> {
        self.everybody()
            .map(|(_, person)| person)
            .filter(move |person| person.parents.iter().any(|parent| parent == insz))
    }

    /// Whom a source talks about when it talks about the wrong person.
    pub fn someone_else(&self) -> Option<(&Household, &Person)> {
        self.everybody().next()
    }
}

/// People at one residence, who have one reference person.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Household {
    /// A name for readers of the file.
    pub name: String,
    /// Where they live in Belgium.
    pub address: Option<Address>,
    /// The country where they live, if not in Belgium.
    pub abroad: Option<Country>,
    /// Since when, `YYYY-MM-DD`.
    pub since: String,
    /// The reference person first.
    pub members: Vec<Person>,
}

/// An address in Belgium.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Address {
    pub street: String,
    pub number: String,
    #[serde(rename = "box")]
    pub box_number: Option<String>,
    pub municipality: Municipality,
}

/// One person, as far as the sources know anything. Dates are `YYYY-MM-DD`, `00` where unknown.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    pub insz: String,
    pub first: Vec<String>,
    pub last: Vec<String>,
    born: Option<String>,
    #[serde(default = "reference_person")]
    pub position: String,
    #[serde(default = "belgian")]
    pub nationality: String,
    pub born_in: Option<Place>,
    #[serde(default = "population_register")]
    pub register: String,
    pub residence: Option<String>,
    pub deceased: Option<String>,
    pub replaces: Option<String>,
    pub civil: Option<CivilState>,
    pub cohabitation: Option<Cohabitation>,
    #[serde(default)]
    pub parents: Vec<String>,
    pub protected: Option<Protection>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CivilState {
    pub state: String,
    pub since: String,
    pub partner: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cohabitation {
    pub partner: String,
    pub since: String,
}

/// The period in which the address may not be communicated (information type 252).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protection {
    pub from: String,
    pub until: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Municipality {
    Leuven,
    Diest,
    Kortrijk,
}

impl Municipality {
    /// Name, NIS code, post code.
    pub const fn row(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Leuven => ("Leuven", "24062", "3000"),
            Self::Diest => ("Diest", "24020", "3290"),
            Self::Kortrijk => ("Kortrijk", "34022", "8500"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Country {
    #[serde(rename = "BE")]
    Belgium,
    #[serde(rename = "AF")]
    Afghanistan,
    #[serde(rename = "FR")]
    France,
    #[serde(rename = "IT")]
    Italy,
    #[serde(rename = "NL")]
    Netherlands,
    #[serde(rename = "PT")]
    Portugal,
}

impl Country {
    /// NIS code, ISO code, name as the register writes it.
    pub const fn row(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Belgium => ("150", "BEL", "BELGIE"),
            Self::Afghanistan => ("251", "AFG", "AFGHANISTAN"),
            Self::France => ("111", "FRA", "FRANKRIJK"),
            Self::Italy => ("128", "ITA", "ITALIE"),
            Self::Netherlands => ("129", "NLD", "NEDERLAND"),
            Self::Portugal => ("123", "PRT", "PORTUGAL"),
        }
    }
}

/// A place of birth: a municipality here, or a country.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
pub enum Place {
    Here(Municipality),
    Abroad(Country),
}

impl Person {
    /// An odd counter in the INSZ is a man's.
    pub fn is_male(&self) -> bool {
        self.insz.as_bytes().get(8).is_some_and(|digit| digit % 2 == 1)
    }

    /// Date of birth, `YYYY-MM-DD`, with `00` for what the register does not know.
    pub fn born(&self) -> String {
        if let Some(date) = &self.born {
            return date.clone();
        }
        let two =
            |from: usize| self.insz.get(from..from + 2).and_then(|part| part.parse::<u64>().ok()).unwrap_or(0);
        let base = self.insz.get(..9).and_then(|part| part.parse::<u64>().ok()).unwrap_or(0);
        // The century is the one whose checksum fits.
        let century = if 97 - base % 97 == two(9) { 1900 } else { 2000 };
        format!("{:04}-{:02}-{:02}", century + two(0), two(2).saturating_sub(60), two(4))
    }

    /// "First Last", for a reader.
    pub fn full_name(&self) -> String {
        format!("{} {}", self.first.join(" "), self.last.join(" "))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    household: Vec<Household>,
}

/// Somebody complete for the troubles that answer at all.
fn troubled(trouble: Trouble) -> Household {
    let member = Person {
        insz: trouble.insz().to_owned(),
        first: vec!["Storing".to_owned()],
        last: vec![trouble.name().to_owned()],
        born: None,
        position: reference_person(),
        nationality: belgian(),
        born_in: None,
        register: population_register(),
        residence: None,
        deceased: None,
        replaces: None,
        civil: None,
        cohabitation: None,
        parents: Vec::new(),
        protected: None,
    };
    Household {
        name: trouble.name().to_owned(),
        address: Some(Address {
            street: "Proefbankstraat".to_owned(),
            number: "1".to_owned(),
            box_number: None,
            municipality: Municipality::Leuven,
        }),
        abroad: None,
        since: "2001-01-01".to_owned(),
        members: vec![member],
    }
}

fn reference_person() -> String {
    "01".to_owned()
}

fn belgian() -> String {
    "150".to_owned()
}

fn population_register() -> String {
    "2".to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn population() -> Population {
        Population::synthetic().unwrap()
    }

    fn is_tst(insz: &str) -> bool {
        let base: u64 = insz[..9].parse().unwrap();
        let check: u64 = insz[9..].parse().unwrap();
        let month: u64 = insz[2..4].parse().unwrap();
        let sound = 97 - base % 97 == check || 97 - (2_000_000_000 + base) % 97 == check;
        insz.len() == 11 && (61..=72).contains(&month) && sound
    }

    #[test]
    fn every_number_is_a_valid_tst_number_and_is_given_once() {
        let population = population();
        let mut seen = HashSet::new();
        for (_, person) in population.everybody() {
            for insz in person.replaces.iter().chain([&person.insz]) {
                assert!(is_tst(insz), "{insz}");
                assert!(seen.insert(insz.clone()), "{insz} twice");
            }
        }
        assert!(seen.len() >= 40 + Trouble::ALL.len());
        assert!(Trouble::ALL.iter().all(|trouble| Trouble::of(trouble.insz()) == Some(*trouble)));
    }

    #[test]
    fn households_fit_together() {
        let population = population();
        for (household, person) in population.everybody() {
            assert!(household.address.is_some() != household.abroad.is_some(), "{}", household.name);
            let reference = &household.members[0];
            assert_eq!(reference.position, "01", "{}", household.name);
            assert_eq!(person.position == "01", person.insz == reference.insz, "{}", person.insz);
            assert_eq!(
                person.replaces.as_deref().and_then(|old| population.replacement(old)).unwrap_or(&person.insz),
                person.insz
            );
            for parent in &person.parents {
                let (_, parent) = population.find(parent).unwrap();
                assert!(parent.born() < person.born(), "{}", person.insz);
            }
        }
    }

    #[test]
    fn partners_name_each_other_and_live_together() {
        let population = population();
        let mut couples = 0;
        for (household, person) in population.everybody() {
            let married = person.civil.as_ref().and_then(|civil| civil.partner.as_deref());
            let cohabiting = person.cohabitation.as_ref().map(|cohabitation| cohabitation.partner.as_str());
            assert!(married.is_none() || cohabiting.is_none());
            let Some(partner) = married.or(cohabiting) else { continue };
            let (home, partner) = population.find(partner).unwrap();
            assert_eq!(home.name, household.name);
            let back = partner.civil.as_ref().and_then(|civil| civil.partner.as_deref());
            let back = back.or(partner.cohabitation.as_ref().map(|cohabitation| cohabitation.partner.as_str()));
            assert_eq!(back, Some(person.insz.as_str()));
            couples += 1;
        }
        assert!(couples >= 12);
    }

    #[test]
    fn every_special_person_exists() {
        let population = population();
        let exists = |what: fn(&Household, &Person) -> bool| {
            population.everybody().any(|(home, person)| what(home, person))
        };
        let period = |person: &Person| person.protected.as_ref().map(|period| period.until.clone());
        assert!(exists(|_, person| person.protected.as_ref().is_some_and(|period| *period.until > *"2030")));
        assert!(exists(|_, person| person.protected.as_ref().is_some_and(|period| *period.until < *"2026")));
        assert!(population.everybody().filter_map(|(_, person)| period(person)).count() >= 3);
        assert!(exists(|_, person| person.deceased.is_some()));
        assert!(exists(|_, person| person.replaces.is_some()));
        assert!(exists(|_, person| *person.born() > *"2020"));
        assert!(exists(|_, person| person.born() == "1985-00-00"));
        assert!(exists(|_, person| person.register == "BIS"));
        assert!(exists(|home, _| home.abroad.is_some()));
        for position in ["01", "02", "03", "05", "06", "09", "12", "13", "15", "21", "22"] {
            assert!(population.everybody().any(|(_, person)| person.position == position), "{position}");
        }
    }

    #[test]
    fn birth_and_sex_follow_from_the_number() {
        let population = population();
        let (_, twin) = population.everybody().find(|(_, person)| person.first == ["Elif"]).unwrap();
        assert_eq!((twin.born().as_str(), twin.is_male()), ("2017-03-23", false));
        let (_, elder) = population.everybody().find(|(_, person)| person.first == ["Roger"]).unwrap();
        assert_eq!((elder.born().as_str(), elder.is_male()), ("1947-11-09", true));
    }
}
