//! The services of MAGDA that the sandbox plays.

/// One service: where it listens, and what a question looks like.
#[derive(Debug)]
pub struct Operation {
    /// The element in the body, and `Context/Naam`.
    pub name: &'static str,
    /// `Context/Versie`.
    pub version: &'static str,
    /// Namespace of that element; below it, nothing is qualified.
    pub namespace: &'static str,
    /// HTTP path.
    pub path: &'static str,
    /// Where the number asked about stands, below `Verzoek`.
    pub insz: &'static str,
    /// Elements of a question may recur.
    pub repeats: bool,
}

pub const GEEF_PERSOON: Operation = Operation {
    name: "GeefPersoon",
    version: "02.02.0000",
    namespace: "http://magda.vlaanderen.be/persoon/soap/geefpersoon/v02_02",
    path: "/GeefPersoonDienst-02.02/soap/WebService",
    insz: "Vragen/Vraag/Inhoud/Criteria/INSZ",
    repeats: false,
};

pub const SOCIAAL_STATUUT: Operation = Operation {
    name: "GeefSociaalStatuut",
    version: "03.00.0000",
    namespace: "http://magda.vlaanderen.be/soczek/soap/geefsociaalstatuut/v03_00",
    path: "/GeefSociaalStatuutDienst-03.00/soap/WebService",
    repeats: true,
    ..GEEF_PERSOON
};

pub const LEEFLOONBEDRAGEN: Operation = Operation {
    name: "GeefLeefloonbedragen",
    version: "02.00.0000",
    namespace: "http://webservice.geefleefloonbedragendienst-02_00.soczek-02_00.vip.vlaanderen.be",
    path: "/GeefLeefloonbedragenDienst-02.00/soap/WebService",
    ..GEEF_PERSOON
};

pub const LEEFLOONPERIODES: Operation = Operation {
    name: "GeefLeefloonperiodes",
    version: "02.00.0000",
    namespace: "http://webservice.geefleefloonperiodesdienst-02_00.soczek-02_00.vip.vlaanderen.be",
    path: "/GeefLeefloonperiodesDienst-02.00/soap/WebService",
    ..GEEF_PERSOON
};

pub const DOSSIER_HANDICAP: Operation = Operation {
    name: "GeefDossierHandicap",
    version: "03.00.0000",
    namespace: "http://magda.vlaanderen.be/soczek/soap/geefdossierhandicap/v03_00",
    path: "/GeefDossierHandicapDienst-03.00/soap/WebService",
    insz: "Vragen/Vraag/Criteria/ConsultFilesByDateCriteria/ssin",
    ..GEEF_PERSOON
};

static ALL: [Operation; 5] =
    [GEEF_PERSOON, SOCIAAL_STATUUT, LEEFLOONBEDRAGEN, LEEFLOONPERIODES, DOSSIER_HANDICAP];

/// The service that listens there.
pub fn at(path: &str) -> Option<&'static Operation> {
    ALL.iter().find(|operation| operation.path == path)
}
