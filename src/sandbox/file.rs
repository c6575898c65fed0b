//! The whole file of a person as GeefPersoon 02.02 gives it: far more than any purpose needs,
//! so that what a caller does not get was really there. Elements stand in the order of the schema.

use super::{
    codes,
    population::{Address, Country, Household, Municipality, Person, Place, Population},
    xml::Xml,
};

/// The element `Persoon`.
pub fn persoon(population: &Population, household: &Household, person: &Person) -> String {
    let mut xml = Xml::default();
    let created = household.since.as_str();
    let attributes = [("Bron", "RR"), ("DatumCreatie", created), ("DatumModificatie", created)];
    xml.element("Persoon", &attributes, |xml| {
        xml.text("INSZ", &person.insz);
        name(xml, person);
        sex(xml, person);
        status(xml, household, person);
        managed_by(xml, household);
        xml.code("Register", &[("DatumBegin", created)], &person.register, codes::register(&person.register));
        xml.element("Nationaliteiten", &[], |xml| {
            let label = codes::nationality(&person.nationality);
            xml.code("Nationaliteit", &[("DatumBegin", &person.born())], &person.nationality, label);
        });
        birth(xml, household, person);
        death(xml, household, person);
        civil_state(xml, population, household, person);
        addresses(xml, household, person);
        descent(xml, population, person);
        family(xml, household, person);
        cohabitation(xml, population, household, person);
        burial(xml, household, person);
        documents(xml, household, person);
        contact(xml, person);
    });
    xml.finish()
}

fn name(xml: &mut Xml, person: &Person) {
    xml.element("Naam", &[("DatumBegin", &person.born())], |xml| {
        xml.element("Achternamen", &[], |xml| person.last.iter().for_each(|last| xml.text("Achternaam", last)));
        xml.element("Voornamen", &[], |xml| person.first.iter().for_each(|first| xml.text("Voornaam", first)));
    });
}

fn sex(xml: &mut Xml, person: &Person) {
    let (code, label) = if person.is_male() { ("1", "Mannelijk") } else { ("2", "Vrouwelijk") };
    xml.code("Geslacht", &[], code, label);
}

fn status(xml: &mut Xml, household: &Household, person: &Person) {
    let state = match (&person.deceased, household.abroad) {
        (Some(date), _) => Some((date.as_str(), "99990", "Overleden")),
        (None, Some(_)) => Some((household.since.as_str(), "992", "Afgevoerd naar het buitenland")),
        (None, None) => None,
    };
    if let Some((since, code, label)) = state {
        xml.element("Statussen", &[], |xml| xml.code("Status", &[("DatumBegin", since)], code, label));
    }
}

fn managed_by(xml: &mut Xml, household: &Household) {
    xml.element("Beheerder", &[("DatumBegin", &household.since)], |xml| {
        place(xml, Place::Here(municipality(household)));
        xml.code("Taalregime", &[], "1", "Nederlands");
    });
}

fn birth(xml: &mut Xml, household: &Household, person: &Person) {
    let born = person.born();
    xml.element("Geboorte", &[("DatumBegin", &born)], |xml| {
        xml.text("Datum", &born);
        place(xml, person.born_in.unwrap_or(Place::Here(municipality(household))));
        xml.text("Aktenummer", &act(person));
        xml.code("Bewijsstuk", &[], "01", "Geboorteakte");
    });
}

fn death(xml: &mut Xml, household: &Household, person: &Person) {
    let Some(date) = &person.deceased else { return };
    xml.element("Overlijden", &[("DatumBegin", date)], |xml| {
        xml.text("Datum", date);
        place(xml, Place::Here(municipality(household)));
        xml.text("Aktenummer", &act(person));
    });
}

fn civil_state(xml: &mut Xml, population: &Population, household: &Household, person: &Person) {
    let born = person.born();
    let (code, since, partner) = match &person.civil {
        Some(civil) => (civil.state.as_str(), civil.since.as_str(), civil.partner.as_deref()),
        None => ("10", born.as_str(), None),
    };
    xml.element("BurgerlijkeStaten", &[], |xml| {
        xml.element("BurgerlijkeStaat", &[("DatumBegin", since)], |xml| {
            xml.text("Code", code);
            xml.text("Omschrijving", codes::civil_state(code));
            if let Some((_, partner)) = partner.and_then(|partner| population.find(partner)) {
                xml.element("Partner", &[], |xml| relative(xml, partner));
            }
            if code != "10" {
                place(xml, Place::Here(municipality(household)));
                xml.text("Aktenummer", &act(person));
            }
        });
    });
}

fn addresses(xml: &mut Xml, household: &Household, person: &Person) {
    let since = [("DatumBegin", household.since.as_str())];
    xml.element("Adressen", &[], |xml| {
        if let Some(country) = household.abroad {
            xml.element("VerblijfplaatsBuitenland", &since, |xml| {
                xml.code("DiplomatiekePost", &[], "0001", "Belgische ambassade");
                land(xml, country);
                xml.element("Teksten", &[], |xml| xml.text("Tekst", "12 Allée des Peupliers, 59000 Lille"));
            });
        }
        let residence = if person.register == "BIS" { "ContactAdres" } else { "Hoofdverblijfplaats" };
        if let Some(at) = &household.address {
            // The schema has the flag before the contact address, and after the main residence.
            if residence == "ContactAdres" {
                protection(xml, person);
            }
            xml.element(residence, &since, |xml| {
                address(xml, at);
                if residence == "ContactAdres" {
                    xml.code("Type", &[], "1", "Contactadres");
                }
            });
        }
        if residence != "ContactAdres" {
            protection(xml, person);
        }
    });
}

fn protection(xml: &mut Xml, person: &Person) {
    let Some(period) = &person.protected else { return };
    xml.element("NietMededeelbaarAdres", &[("DatumBegin", &period.from)], |xml| {
        xml.element("Periode", &[], |xml| {
            xml.text("Begindatum", &period.from);
            xml.text("Einddatum", &period.until);
        });
        xml.text("DatumBeslissingCollege", &period.from);
    });
}

fn address(xml: &mut Xml, at: &Address) {
    let (municipality, nis, postcode) = at.municipality.row();
    xml.dutch("Straatnaam", &at.street);
    xml.text("Huisnummer", &at.number);
    if let Some(number) = &at.box_number {
        xml.text("Busnummer", number);
    }
    xml.dutch("Gemeentenaam", municipality);
    xml.dutch("Land", "BELGIE");
    xml.text("Postcode", postcode);
    xml.text("NISCodeLand", "150");
    xml.text("ISOCodeLand", "BEL");
    xml.text("NISCodeGemeente", nis);
}

fn descent(xml: &mut Xml, population: &Population, person: &Person) {
    let born = person.born();
    if !person.parents.is_empty() {
        xml.element("Afstammingen", &[], |xml| {
            xml.element("Afstamming", &[("DatumBegin", &born)], |xml| {
                xml.code("Type", &[], "10", "Kind");
                xml.element("Ouders", &[], |xml| {
                    for (_, parent) in person.parents.iter().filter_map(|parent| population.find(parent)) {
                        xml.element("Ouder", &[], |xml| relative(xml, parent));
                    }
                });
            });
        });
    }
    let children: Vec<&Person> = population.children(&person.insz).collect();
    if !children.is_empty() {
        xml.element("AfstammingenDalendeLijn", &[], |xml| {
            for child in children {
                xml.element("AfstammingDalendeLijn", &[("DatumBegin", &child.born())], |xml| {
                    xml.code("Type", &[], "10", "Kind");
                    xml.element("Kind", &[], |xml| relative(xml, child));
                });
            }
        });
    }
}

/// A member's file names the reference person only; the reference person's file names all members.
fn family(xml: &mut Xml, household: &Household, person: &Person) {
    let since = [("DatumBegin", household.since.as_str())];
    let position = |xml: &mut Xml, of: &Person| {
        xml.code("Positie", &[], &of.position, codes::position(&of.position, of.is_male()));
        xml.code("Woonvorm", &[], "00", "Gewone woonvorm");
    };
    let Some((reference, members)) = household.members.split_first() else { return };
    if reference.insz != person.insz {
        return xml.element("Referentiepersoon", &since, |xml| {
            relative(xml, reference);
            position(xml, person);
        });
    }
    xml.element("Gezinsleden", &[], |xml| {
        xml.element("Gezinslid", &since, |xml| position(xml, reference));
        for member in members {
            xml.element("Gezinslid", &since, |xml| {
                relative(xml, member);
                position(xml, member);
            });
        }
    });
}

fn cohabitation(xml: &mut Xml, population: &Population, household: &Household, person: &Person) {
    let Some(cohabitation) = &person.cohabitation else { return };
    xml.element("WettelijkeSamenwoning", &[("DatumBegin", &cohabitation.since)], |xml| {
        xml.text("Datum", &cohabitation.since);
        if let Some((_, partner)) = population.find(&cohabitation.partner) {
            xml.element("Partner", &[], |xml| relative(xml, partner));
        }
        place(xml, Place::Here(municipality(household)));
    });
}

fn burial(xml: &mut Xml, household: &Household, person: &Person) {
    let Some(date) = &person.deceased else { return };
    let (municipality, nis, _) = municipality(household).row();
    xml.element("Begraving", &[("DatumBegin", date)], |xml| {
        xml.code("WijzeVanLijkbezorging", &[], "1", "Begraving");
    });
    xml.element("LijkbezorgingEnRitueel", &[("DatumBegin", date)], |xml| {
        xml.code("WijzeVanLijkbezorging", &[], "01", "Begraving");
        xml.code("Ritueel", &[], "01", "Een uitvaartplechtigheid volgens de katholieke godsdienst");
        xml.element("PlaatsRegistratie", &[], |xml| {
            xml.text("NISCode", nis);
            xml.text("Naam", municipality);
        });
        xml.text("DatumDocument", date);
    });
}

fn documents(xml: &mut Xml, household: &Household, person: &Person) {
    xml.element("Identiteitsbewijzen", &[], |xml| {
        xml.element("Identiteitsbewijs", &[("DatumBegin", "2022-05-10")], |xml| {
            xml.code("Type", &[], "0000", "I.K.");
            xml.text("Nummer", &card(person));
            xml.element("Vervalgegevens", &[], |xml| xml.text("Vervaldatum", "2032-05-10"));
            place(xml, Place::Here(municipality(household)));
        });
    });
    if let Some(code) = &person.residence {
        xml.element("WettigeVerblijven", &[], |xml| {
            xml.element("WettigVerblijf", &[("DatumBegin", &household.since)], |xml| {
                xml.element("Redenen", &[], |xml| xml.code("Reden", &[], code, "Vluchteling"));
            });
        });
    }
}

fn contact(xml: &mut Xml, person: &Person) {
    xml.element("Contactgegevens", &[("DatumBegin", "2023-01-01")], |xml| {
        xml.text("Email", &format!("p{}@post.example", person.insz));
        xml.text("GSM", &format!("+32400{}", person.insz.get(5..).unwrap_or_default()));
    });
}

/// What a file tells about another person: number, name, sex, date of birth.
fn relative(xml: &mut Xml, person: &Person) {
    xml.text("INSZ", &person.insz);
    name(xml, person);
    sex(xml, person);
    xml.text("Geboortedatum", &person.born());
}

fn place(xml: &mut Xml, place: Place) {
    xml.element("Plaats", &[], |xml| match place {
        Place::Here(municipality) => {
            let (name, nis, _) = municipality.row();
            xml.element("Gemeente", &[], |xml| {
                xml.text("NISCode", nis);
                xml.text("Naam", name);
            });
            land(xml, Country::Belgium);
        }
        Place::Abroad(country) => land(xml, country),
    });
}

fn land(xml: &mut Xml, country: Country) {
    let (nis, iso, name) = country.row();
    xml.element("Land", &[], |xml| {
        xml.text("NISCode", nis);
        xml.text("ISOCode", iso);
        xml.text("Naam", name);
    });
}

/// Who lives abroad was last in Kortrijk.
fn municipality(household: &Household) -> Municipality {
    household.address.as_ref().map_or(Municipality::Kortrijk, |address| address.municipality)
}

/// A number of an act: four digits out of the person's own.
fn act(person: &Person) -> String {
    format!("0{}", person.insz.get(5..8).unwrap_or_default())
}

/// A card number: ten digits and their remainder modulo 97 (97 for 0).
fn card(person: &Person) -> String {
    let base = 5_910_000_000_u64 + person.insz.get(3..9).and_then(|part| part.parse().ok()).unwrap_or(0);
    let check = match base % 97 {
        0 => 97,
        rest => rest,
    };
    format!("{base}{check:02}")
}
