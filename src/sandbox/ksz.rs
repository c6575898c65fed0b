//! Services of the Crossroads Bank, as MAGDA passes them on: social statuses, the living wage, files about disabilities.

use std::collections::HashMap;

use serde::Deserialize;

use super::{
    operation::{DOSSIER_HANDICAP, LEEFLOONBEDRAGEN, LEEFLOONPERIODES, SOCIAAL_STATUUT},
    reply::Exception,
    soap::Question,
    xml::Xml,
};

const FILES: &str = include_str!("ksz.toml");

/// What the Crossroads Bank knows, by INSZ.
pub struct Ksz(HashMap<String, Person>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    person: Vec<Person>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Person {
    insz: String,
    #[serde(default)]
    statuses: Vec<Status>,
    living_wage: Option<LivingWage>,
    disability: Option<Disability>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Status {
    name: String,
    from: String,
    until: Option<String>,
}

/// A living wage, the same each month. `paid_to` stands where the person is the partner of who is paid.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LivingWage {
    from: String,
    until: String,
    category: String,
    cents: u64,
    ocmw: String,
    partner: Option<String>,
    paid_to: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Disability {
    since: String,
    points: u8,
    cents: u64,
    category: String,
    /// Some authorities did not answer.
    #[serde(default)]
    partial: bool,
}

impl Ksz {
    /// Reads the embedded files. Fails only if they are broken.
    pub fn synthetic() -> Result<Self, toml::de::Error> {
        let people = toml::from_str::<File>(FILES)?.person;
        Ok(Self(people.into_iter().map(|person| (person.insz.clone(), person)).collect()))
    }

    /// The content of an answer about a person of the sandbox; none where an exception says all.
    pub fn content(&self, question: &Question, insz: &str) -> String {
        let person = self.0.get(insz);
        let mut xml = Xml::default();
        match question.operation.name {
            name if name == SOCIAAL_STATUUT.name => statuses(&mut xml, question, insz, person),
            name if name == LEEFLOONBEDRAGEN.name => amounts(&mut xml, question, insz, person),
            name if name == LEEFLOONPERIODES.name => {
                if let Some(wage) = person.and_then(|person| person.living_wage.as_ref()) {
                    periods(&mut xml, insz, wage);
                }
            }
            name if name == DOSSIER_HANDICAP.name => {
                let disability = person.and_then(|person| person.disability.as_ref());
                disability_files(&mut xml, question, insz, disability);
            }
            _ => {}
        }
        xml.finish()
    }

    /// What is said beside that.
    pub fn exceptions(&self, question: &Question, insz: &str) -> Vec<Exception> {
        let person = self.0.get(insz);
        let name = question.operation.name;
        if name == LEEFLOONPERIODES.name && person.is_none_or(|person| person.living_wage.is_none()) {
            return vec![Exception::status("NO_DATA_FOUND", "MSG00100")];
        }
        let disability = person.and_then(|person| person.disability.as_ref());
        match disability {
            _ if name != DOSSIER_HANDICAP.name => Vec::new(),
            None => vec![Exception::status("NO_DATA_FOUND", "MSG00100")],
            Some(disability) if disability.partial => vec![Exception::status("INCOMPLETE_DATA", "HAN20200")],
            Some(_) => Vec::new(),
        }
    }
}

/// The statuses that are asked about, in their order: whether the person has each.
fn statuses(xml: &mut Xml, question: &Question, insz: &str, person: Option<&Person>) {
    let known = person.map_or(&[][..], |person| &person.statuses);
    xml.element("Persoon", &[], |xml| {
        xml.text("INSZ", insz);
        xml.element("SocialeStatuten", &[], |xml| {
            for name in question.texts("Vragen/Vraag/Inhoud/Criteria/SocialeStatuten/SociaalStatuut/Naam") {
                let status = known.iter().find(|status| status.name == name);
                xml.element("SociaalStatuut", &[], |xml| {
                    xml.text("Naam", name);
                    match status {
                        Some(_) => xml.code("Resultaat", &[], "1", "Van toepassing"),
                        None => xml.code("Resultaat", &[], "0", "Niet van toepassing"),
                    }
                    if let Some(Status { from, until, .. }) = status {
                        xml.element("Periodes", &[], |xml| {
                            xml.element("Periode", &[], |xml| {
                                xml.text("Begindatum", from);
                                if let Some(until) = until {
                                    xml.text("Einddatum", until);
                                }
                            });
                        });
                    }
                });
            }
        });
    });
}

/// The year that is asked about, and those before it; each month that is paid in them.
fn amounts(xml: &mut Xml, question: &Question, insz: &str, person: Option<&Person>) {
    let number = |path: &str| question.text(path).parse::<u32>().unwrap_or(0);
    let last = number("Vragen/Vraag/Inhoud/Criteria/Jaar");
    let back = number("Vragen/Vraag/Inhoud/Criteria/AantalJaarTerug").min(3);
    let wage = person.and_then(|person| person.living_wage.as_ref());
    xml.element("Leefloonbedragen", &[], |xml| {
        for year in last.saturating_sub(back)..=last {
            let months: Vec<String> = (1..=12).map(|month| format!("{year:04}-{month:02}")).collect();
            let paid = |wage: &LivingWage| -> Vec<String> {
                let within = |month: &&String| {
                    wage.from <= format!("{month}-01") && month.as_str() <= wage.until.as_str()
                };
                months.iter().filter(within).cloned().collect()
            };
            xml.element("Leefloonbedrag", &[], |xml| {
                xml.text("Jaar", &format!("{year:04}"));
                match wage.map(|wage| (wage, paid(wage))) {
                    Some((wage, months)) if !months.is_empty() => year_of(xml, insz, wage, &months),
                    _ => {
                        xml.element("Uitbetaling", &[("Beschrijving", "Geen uitbetaling")], |xml| xml.raw("0"));
                    }
                }
            });
        }
    });
}

fn year_of(xml: &mut Xml, insz: &str, wage: &LivingWage, months: &[String]) {
    let year = months.first().and_then(|month| month.get(..4)).unwrap_or_default();
    let shared = if wage.partner.is_some() || wage.paid_to.is_some() { "1" } else { "0" };
    xml.element("Tegemoetkoming", &[], |xml| {
        xml.element("Jaarlijks", &[("Jaar", year)], |xml| {
            xml.element("Leefloon", &[], |xml| {
                xml.text("Bedrag", &euro(wage.cents * months.len() as u64));
                xml.text("TweedeGerechtigde", shared);
                xml.text("AantalMaandenZonderToelage", &(12 - months.len().min(12)).to_string());
                xml.text("MaximumLeefloonGekregen", "1");
            });
        });
        xml.element("Maandelijks", &[], |xml| {
            for month in months {
                let id = format!("{}01", month.replace('-', ""));
                xml.element("Maand", &[("JaarMaand", month)], |xml| {
                    xml.element("LeefloonPerPeriode", &[("LaatsteUitbetaling", "0")], |xml| {
                        xml.element("LeefloonPeriode", &[("ID", &id)], |xml| {
                            payment(xml, insz, wage, month, &id);
                        });
                    });
                });
            }
        });
    });
}

fn payment(xml: &mut Xml, insz: &str, wage: &LivingWage, month: &str, id: &str) {
    xml.text("Bedrag", &euro(wage.cents));
    xml.element("Periode", &[], |xml| xml.text("Begin", &format!("{month}-01")));
    xml.element("Begunstigde", &[], |xml| {
        xml.text("INSZ", wage.paid_to.as_deref().unwrap_or(insz));
        xml.text("Categorie", &wage.category);
    });
    let partner = wage.partner.as_deref().or(wage.paid_to.as_ref().map(|_| insz));
    xml.element("Partner", &[], |xml| match partner {
        Some(partner) => xml.text("INSZ", partner),
        None => xml.text("TweedeGerechtigde", "0"),
    });
    xml.element("OCMW", &[], |xml| {
        xml.text("Ondernemingsnummer", &wage.ocmw);
        xml.text("Bestand", id);
        xml.text("Suffix", "0");
    });
    xml.text("MaximumLeefloonGekregen", "1");
}

fn periods(xml: &mut Xml, insz: &str, wage: &LivingWage) {
    xml.element("Leefloonperiodes", &[("DatumBegin", &wage.from), ("DatumEinde", &wage.until)], |xml| {
        xml.element("Leefloonperiode", &[], |xml| {
            xml.text("INSZ", insz);
            xml.text("OCMW", &wage.ocmw);
            xml.element("Periode", &[], |xml| {
                xml.text("Begin", &wage.from);
                xml.text("Einde", &wage.until);
            });
            xml.element("Categorie", &[], |xml| {
                xml.element("Code", &[("Beschrijving", "Categorie van het leefloon")], |xml| {
                    xml.raw(&wage.category);
                });
            });
        });
    });
}

fn status(xml: &mut Xml, value: &str, code: &str) {
    xml.element("status", &[], |xml| {
        xml.text("value", value);
        xml.text("code", code);
    });
}

/// The federal authority's file, of the parts that are asked for.
fn disability_files(xml: &mut Xml, question: &Question, insz: &str, disability: Option<&Disability>) {
    let criteria = "Vragen/Vraag/Criteria/ConsultFilesByDateCriteria";
    let asked = |part: &str| matches!(question.text(&format!("{criteria}/{part}")), "true" | "1");
    xml.element("ConsultFilesByDateResponse", &[], |xml| {
        let Some(disability) = disability else {
            return status(xml, "NO_DATA_FOUND", "MSG00100");
        };
        if disability.partial {
            status(xml, "INCOMPLETE_DATA", "HAN20200");
        } else {
            status(xml, "DATA_FOUND", "MSG00000");
        }
        xml.text("ssin", insz);
        xml.element("results", &[], |xml| {
            if asked("handicapAuthenticSources/DGPH") {
                xml.element("dgphResult", &[], |xml| {
                    status(xml, "DATA_FOUND", "MSG00000");
                    xml.element("file", &[], |xml| disability_file(xml, disability, asked));
                });
            }
            if asked("handicapAuthenticSources/VSB") {
                let (value, code) = if disability.partial {
                    ("TECHNICAL_ERROR", "MSG00003")
                } else {
                    ("NO_DATA_FOUND", "MSG00021")
                };
                xml.element("vsbResult", &[], |xml| status(xml, value, code));
            }
        });
    });
}

fn disability_file(xml: &mut Xml, disability: &Disability, asked: impl Fn(&str) -> bool) {
    let Disability { since, points, cents, category, .. } = disability;
    if asked("parts/handicapRecognitions") {
        xml.element("handicapRecognitions", &[], |xml| {
            xml.element("handicapRecognition", &[], |xml| {
                xml.element("recognitionStatus", &[], |xml| {
                    xml.text("dateOfDecision", since);
                    xml.text("startDateRecognition", since);
                });
                xml.element("resultRecognitionAdult", &[], |xml| {
                    xml.element("diminuationIndependence", &[], |xml| {
                        xml.text("totalPoints", &points.to_string());
                    });
                });
            });
        });
    }
    if asked("parts/rights") {
        xml.element("rights", &[], |xml| {
            xml.element("period", &[], |xml| xml.text("beginDate", since));
            xml.text("legislation", "3");
            xml.text("totalMonthAmount", &euro(*cents));
            xml.text("monthAmount", &euro(*cents));
            xml.text("categoryIVT", category);
            xml.text("categoryIT", "1");
            xml.text("partnerIncome", "false");
        });
    }
    if asked("parts/socialCards") {
        xml.element("socialCards", &[], |xml| {
            xml.element("socialCard", &[], |xml| {
                xml.text("deliveryDate", since);
                xml.text("cardNumber", "9000000001");
                xml.text("cardCategory", "PARKINGCARD");
            });
        });
    }
}

fn euro(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}
