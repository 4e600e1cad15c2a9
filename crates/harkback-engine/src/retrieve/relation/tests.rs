//! Relations read from sentences, case by case.

use expect_test::{Expect, expect};

use super::*;
use crate::model::Ontology;
use crate::ontology::shipped;

/// Takes `{Name}` marks out of a sentence and says where they stood.
pub(super) fn marked(sentence: &str) -> (String, Vec<Named>) {
    let (mut text, mut mentions) = (String::new(), Vec::new());
    for part in sentence.split('{') {
        match part.split_once('}') {
            Some((name, rest)) => {
                let start = text.len();
                mentions.push(Named { start, end: start + name.len(), name: name.to_owned() });
                text.push_str(name);
                text.push_str(rest);
            }
            None => text.push_str(part),
        }
    }
    (text, mentions)
}

/// Each line is a sentence with its `{mentions}`; the answer is a relation a line.
fn check(ontology: Ontology, subject: &str, sentences: &str, expected: Expect) {
    let marked: Vec<_> = sentences.lines().map(|it| marked(it.trim())).collect();
    let support: Vec<SupportSentence<'_>> =
        marked.iter().map(|(text, mentions)| SupportSentence { subject, text, mentions }).collect();
    let show = |it: &Relation| match &it.predicate {
        Some(predicate) => {
            format!("{}: {} | {predicate} | {}\n", it.sentence, it.subject, it.object)
        }
        None => format!("{}: {} ~ {}\n", it.sentence, it.subject, it.object),
    };
    expected
        .assert_eq(&relations(&support, shipped(ontology)).iter().map(show).collect::<String>());
}

fn culture(subject: &str, sentences: &str, expected: Expect) {
    check(Ontology::Culture, subject, sentences, expected);
}

#[test]
fn a_film_and_its_makers() {
    culture(
        "The Long Winter (2004 film)",
        "{The Long Winter} is a 2004 {Norwegian} drama film written and directed by {Mira Holt}, produced by {Odd Lie} and {Tor Vik} and starring {Anna Lee}, {Bo Ek}, and {Carl Moe}.
         The film is based on the novel \"{Snow}\" by the {Swedish} writer {Ida Sten}.
         It was released on 5 May 2004 by {Northlight Pictures}.",
        expect![[r#"
            0: The Long Winter | released | 2004
            0: The Long Winter | is a | 2004 Norwegian drama film
            0: The Long Winter | written by | Mira Holt
            0: The Long Winter | directed by | Mira Holt
            0: The Long Winter | produced by | Odd Lie
            0: The Long Winter | produced by | Tor Vik
            0: The Long Winter | stars | Anna Lee
            0: The Long Winter | stars | Bo Ek
            0: The Long Winter | stars | Carl Moe
            0: The Long Winter ~ Norwegian
            1: The Long Winter | based on | Snow
            1: The Long Winter ~ Swedish
            1: The Long Winter ~ Ida Sten
            2: The Long Winter | released | 5 May 2004
            2: The Long Winter | distributed by | Northlight Pictures
        "#]],
    );
}

#[test]
fn cues_with_the_object_first() {
    culture(
        "Mira Holt",
        "{Mira Holt} (born 12 May 1950 in {Lund}) is a {Swedish} film director.\nShe directed the film {The Long Winter} and wrote {Snow}.\nHolt also starred in {Ice}.\nShe is best known as the director of {Fire}.",
        expect![[r#"
        0: Mira Holt | is a | Swedish film director
        0: Mira Holt | born | 12 May 1950
        0: Mira Holt | born in | Lund
        0: Mira Holt ~ Swedish
        1: The Long Winter | directed by | Mira Holt
        1: Snow | written by | Mira Holt
        3: Mira Holt ~ Fire
    "#]],
    );
}

#[test]
fn families() {
    culture(
        "Ada Lind",
        "{Ada Lind} (1901 – 3 June 1980) was a {Danish} painter, the second daughter of {Bo Lind} and his wife {Cilla Lind}.\nShe married {Dag Moe}, son of {Egil Moe}, in 1925.\nHer father was the banker {Bo Lind}.\nHer brother {Finn} and {Dag}'s sister {Gro} died young.",
        expect![[r#"
        0: Ada Lind | is a | Danish painter
        0: Ada Lind | child of | Bo Lind
        0: Ada Lind | born | 1901
        0: Ada Lind | died | 3 June 1980
        0: Ada Lind ~ Danish
        0: Ada Lind ~ Cilla Lind
        1: Ada Lind | spouse of | Dag Moe
        1: Dag Moe | child of | Egil Moe
        1: Ada Lind ~ Egil Moe
        2: Bo Lind | parent of | Ada Lind
        3: Finn | sibling of | Ada Lind
        3: Gro | sibling of | Dag
        3: Finn ~ Dag
        3: Finn ~ Gro
    "#]],
    );
    culture(
        "",
        "{Hugo} was the son of {Ivar} and brother of {Jon}.\n{Hugo} was the son of {Ivar}, brother of {Karl}.\n{Lise}, daughter of {Mads}, married {Nils}.",
        expect![[r#"
        0: Hugo | child of | Ivar
        0: Hugo | sibling of | Jon
        1: Hugo ~ Karl
        2: Lise | child of | Mads
        2: Lise | spouse of | Nils
    "#]],
    );
    culture(
        "",
        "{Ole} was a great-grandson of {Per}.\n{Ole} was the step-son of {Quist}.",
        expect![[r#"
        0: Ole | great-grandchild of | Per
        1: Ole | stepchild of | Quist
    "#]],
    );
}

#[test]
fn subjects_that_are_not_safe() {
    culture(
        "",
        "The mayor of {Lund} founded {Acme}.\n{Ada}'s brother founded {Acme Two}.\nWhile {Ada} ran the shop, {Bo} founded {Acme Three}.\n{Ada} never married {Carl}.\n{Ada} wrote a play about a king married to {Dora}.",
        expect![[r#"
        0: Lund ~ Acme
        1: Ada ~ Acme Two
        2: Acme Three | founded by | Bo
        2: Bo ~ Ada
        3: Ada ~ Carl
        4: Ada ~ Dora
    "#]],
    );
    culture(
        "Big Hill",
        "He founded {Acme}.\nIt is the remake of {Tall Tree} directed by {Ada}.",
        expect![[r#"
        0: Acme | founded by | Big Hill
        1: Big Hill | based on | Tall Tree
        1: Big Hill ~ Ada
    "#]],
    );
}

#[test]
fn introductions_and_clauses() {
    culture(
        "Ada Lind",
        "In 1950, {Ada Lind} moved to {Lund} and founded {Acme Films}.\nDirected by {Bo Ek}, {Ice} stars {Carl Moe}.\nAfter {Bo} died, she married {Carl Moe}.\nShe studied at {Lund University}, but {Dora} attended {Bath College}.",
        expect![[r#"
        0: Ada Lind | lived in | Lund
        0: Acme Films | founded by | Ada Lind
        1: Ice | directed by | Bo Ek
        1: Ice | stars | Carl Moe
        2: Ada Lind | spouse of | Carl Moe
        2: Ada Lind ~ Bo
        3: Ada Lind | educated at | Lund University
        3: Dora | educated at | Bath College
        3: Ada Lind ~ Dora
        3: Ada Lind ~ Bath College
    "#]],
    );
    culture(
        "Lund",
        "{Lund} is a city in {Skane}, {Sweden}.\nThe city was founded in 1190 by {Sven}.\nThe capital of {Norland} is {Bergby}.\nIt has a population of 91,940 inhabitants.",
        expect![[r#"
        0: Lund | is a | city
        0: Lund | located in | Skane
        0: Lund ~ Sweden
        1: Lund | founded in | 1190
        1: Lund | founded by | Sven
        2: Bergby | capital of | Norland
        3: Lund | population | 91,940 inhabitants
    "#]],
    );
}

#[test]
fn types_rule_out_what_cannot_be() {
    culture(
        "",
        "{Ice} is a film starring {Anna Lee} directed by {Bo Ek}.\n{Lund} is a town. {Carl} was born in {Acme Pictures}.\n{Ice} was produced by {Acme Pictures} starring {Dag Moe}.",
        expect![[r#"
        0: Ice | is a | film
        0: Ice | stars | Anna Lee
        0: Ice ~ Bo Ek
        1: Lund | is a | town
        1: Lund ~ Carl
        1: Lund ~ Acme Pictures
        2: Ice | produced by | Acme Pictures
        2: Ice | stars | Dag Moe
    "#]],
    );
}

#[test]
fn support_requests() {
    check(
        Ontology::SupportRequests,
        "Riverside Clinic",
        "{Riverside Clinic} is a clinic in {Mill Town}.
         The clinic opens at 08:00 on weekdays and closes at 6 pm.
         {Dr Ada Lind} is a dermatologist who works at {Riverside Clinic} and treats {Eczema}.
         A visit to {Dr Ada Lind} costs $40.
         {Riverside Clinic} is managed by {Bo Ek}, who reports to {Cilla Moe}.
         The {Aero Kettle} costs 49 euros, takes 3 minutes and was made by {Norwatt}.
         {Error E42} is caused by a loose cable and is fixed by {Reset Plus}.
         {Bo Ek} does not accept {Visa}.",
        expect![[r#"
            0: Riverside Clinic | is a | clinic
            0: Riverside Clinic | located in | Mill Town
            1: Riverside Clinic | opens at | 08:00
            1: Riverside Clinic | closes at | 6 pm
            2: Dr Ada Lind | is a | dermatologist
            2: Dr Ada Lind | works at | Riverside Clinic
            2: Dr Ada Lind ~ Eczema
            4: Riverside Clinic | managed by | Bo Ek
            4: Riverside Clinic ~ Cilla Moe
            5: Aero Kettle | costs | 49 euros
            5: Aero Kettle | takes | 3 minutes
            5: Aero Kettle | made by | Norwatt
            6: Error E42 | fixed by | Reset Plus
            7: Bo Ek ~ Visa
        "#]],
    );
}

#[test]
fn essays() {
    check(
        Ontology::Essays,
        "On Small Things",
        "\"{On Small Things}\" is an essay by {Ada Lind}, published in 1921.
         {Lind} criticised {Bo Ek} and defended the {Theory of Rest}.
         The {Theory of Rest} was proposed by {Carl Moe} and was influenced by {Dora Sten}.
         {Carl Moe} studied under {Egil Vik}.",
        expect![[r#"
            0: On Small Things | is a | essay
            0: On Small Things | written by | Ada Lind
            0: On Small Things | published in | 1921
            1: Lind | criticises | Bo Ek
            1: Lind | defends | Theory of Rest
            2: Theory of Rest | proposed by | Carl Moe
            2: Theory of Rest | influenced by | Dora Sten
            3: Carl Moe | student of | Egil Vik
        "#]],
    );
}

#[test]
fn nothing_to_say() {
    culture("", "", expect![]);
    culture("", "{Ada}", expect![]);
    culture("", "It rained, and nobody came.", expect![]);
    culture(
        "Ada",
        "{Ada} and {Bo} met {Carl}.\n{Ada} saw {Bo}.",
        expect![[r#"
        0: Ada ~ Bo
        0: Ada ~ Carl
    "#]],
    );
}

#[test]
fn long_and_odd_sentences_end_in_time() {
    let text = "{Ada} directed by and, ".repeat(3000) + &"((((['s;;—".repeat(2000);
    let (text, mentions) = marked(&text);
    let sentence = SupportSentence { subject: "Ada", text: &text, mentions: &mentions };
    assert_eq!(relations(&[sentence], shipped(Ontology::Culture)), []);
}
