//! The housing file of a person: complete, about 900 bytes.

use super::population::{Address as Home, Household, Person, Population};
use crate::proto::sandbox::{
    Address, AddressProtection, Applicant, Dwelling, FileStatus, HousingFile, IncomeBand, Landlord, PersonName,
    QualityStatus, RentSupportDecision,
};

/// Who was born after this day has no file of their own.
const LAST_ADULT: &str = "2008-01-01";

/// The file, for adults who are alive and live in Belgium.
pub fn dossier(population: &Population, household: &Household, person: &Person) -> Option<HousingFile> {
    let home = household.address.as_ref()?;
    if person.deceased.is_some() || person.born().as_str() > LAST_ADULT {
        return None;
    }
    // Two digits of the person's own number, so that files differ without being random.
    let seed = person.insz.get(6..8)?.parse::<u32>().ok()?;
    Some(HousingFile {
        insz: person.insz.clone(),
        file_number: format!("HS-2024-{}", person.insz.get(3..9)?),
        applicant: Some(name(person)),
        address: Some(address(home)),
        address_protection: person
            .protected
            .as_ref()
            .map(|period| AddressProtection { starts_on: period.from.clone(), ends_on: period.until.clone() }),
        dwelling: Some(dwelling(seed)),
        decisions: vec![decision(seed, 2025), decision(seed, 2024)],
        co_applicant: co_applicant(population, person),
        household_size: u32::try_from(household.members.len()).ok()?,
        income_band: IncomeBand::try_from(i32::try_from(seed % 3).ok()? + 1).ok()?.into(),
        remarks: "Dossierbehandelaar belde met de aanvrager; huurcontract en attest van inkomen ontvangen. \
                  Verhuist mogelijk naar een aangepaste woning. Bezoek gepland met een maatschappelijk werker."
            .to_owned(),
        landlord: Some(Landlord {
            name: "Woonmaatschappij De Drie Torens".to_owned(),
            enterprise_number: "0123456749".to_owned(),
        }),
        former_addresses: vec![former("Oude Kloosterlaan", home), former("Spoorwegtalud", home)],
        status: FileStatus::Running.into(),
        opened_on: "2024-02-05".to_owned(),
        changed_on: "2025-09-30".to_owned(),
    })
}

fn name(person: &Person) -> PersonName {
    PersonName { last_name: person.last.join(" "), first_names: person.first.clone() }
}

fn address(home: &Home) -> Address {
    let (municipality, nis_code, postal_code) = home.municipality.row();
    Address {
        street: home.street.clone(),
        house_number: home.number.clone(),
        box_number: home.box_number.clone().unwrap_or_default(),
        postal_code: postal_code.to_owned(),
        municipality: municipality.to_owned(),
        nis_code: nis_code.to_owned(),
    }
}

fn former(street: &str, home: &Home) -> Address {
    Address { street: street.to_owned(), box_number: String::new(), ..address(home) }
}

fn dwelling(seed: u32) -> Dwelling {
    let quality = if seed.is_multiple_of(4) { QualityStatus::Unsuitable } else { QualityStatus::Fit };
    Dwelling {
        building_unit: format!("https://data.example/gebouweenheid/{}", 14_000_000 + seed),
        quality_status: quality.into(),
        inspected_on: "2024-04-18".to_owned(),
        epc_label: "C".to_owned(),
        epc_value: 180 + seed,
        rooms: 3 + seed % 3,
        floor_area: 60 + seed,
        monthly_rent_cents: 64_500 + u64::from(seed) * 250,
    }
}

fn decision(seed: u32, year: u32) -> RentSupportDecision {
    RentSupportDecision {
        number: format!("HS/{year}/{:05}", 31_000 + seed),
        decided_on: format!("{year}-03-01"),
        granted: true,
        monthly_amount_cents: 15_000 + u64::from(seed) * 10,
        starts_on: format!("{year}-04-01"),
        ends_on: format!("{}-03-31", year + 1),
        ground: "Verhuis van een onaangepaste naar een aangepaste huurwoning".to_owned(),
    }
}

fn co_applicant(population: &Population, person: &Person) -> Option<Applicant> {
    let married = person.civil.as_ref().and_then(|civil| civil.partner.as_ref());
    let partner = married.or(person.cohabitation.as_ref().map(|cohabitation| &cohabitation.partner))?;
    let (_, partner) = population.find(partner)?;
    Some(Applicant { insz: partner.insz.clone(), name: Some(name(partner)), relation: "partner".to_owned() })
}
