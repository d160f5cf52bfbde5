"""Everything the page says, in English and Indonesian."""

from __future__ import annotations

import re
import unicodedata

_FIELD = re.compile(r"\{(\w+)\}")

ENGLISH = {
    "title": "CogSym translator",
    "tagline": "Try the languages that a model has newly learned.",
    "tab_translate": "Translate",
    "tab_languages": "Languages",
    "tab_changes": "What changed",
    "from": "From",
    "to": "To",
    "swap": "Swap languages",
    "source": "Text",
    "source_hint": "Write or paste something…",
    "translation": "Translation",
    "base_translation": "Without the adaptation",
    "translate": "Translate",
    "stop": "Stop",
    "copy_link": "Copy link",
    "link_copied": "Link copied",
    "compare": "Show what the model said before it learned the language",
    "try": "Try one",
    "counter": "{count} of {limit}",
    "loading": "The model is still loading. Write already: your text is translated as soon as it is there.",
    "loading_translate": "The model is still loading…",
    "not_loaded": "The model could not be loaded, so nothing can be translated here now. {reason}",
    "gone": "{language} is no longer offered here.",
    "working": "Translating…",
    "queue": "Place {place} of {count} in the queue",
    "stopped": "Stopped. Your text is still here.",
    "nothing": "Write something first.",
    "too_many": "That is {count} characters, and at most {limit} fit on this page. Nothing was lost: shorten it, or "
    "translate it in parts.",
    "too_long": "One sentence has {count} tokens, and at most {limit} fit: “{sentence}”. Divide it with full stops or "
    "line breaks.",
    "no_direction": "No model here translates from {source} to {target}.",
    "linked_elsewhere": "The link asks for {source} to {target}, which no model here translates. Chosen instead: "
    "{from_shown} to {to_shown}.",
    "no_language": "No language can be translated here at the moment.",
    "failed": "Something went wrong here, and it is not your text. Please try again.",
    "unended": "The model found no end for: “{sentence}”. What is shown may go astray.",
    "speed": "{seconds} s · {speed} tokens/s",
    "by_delta": "{language} adaptation",
    "by_base": "The unadapted base, which knows both languages",
    "facts": "About this translation",
    "fact_model": "Translated by",
    "fact_base": "Base",
    "fact_quality": "Quality",
    "fact_before": "before: {value}",
    "fact_sentences": "{n} sentences, {dataset}",
    "fact_size": "Delta",
    "fact_size_of": "{size}, {share} of the weights trained",
    "fact_licence": "Licence of the base",
    "fact_card": "Card",
    "weak": "This direction is weak: expect wrong words and invented ones. Do not rely on it.",
    "poor": "This direction is poor: most sentences come out wrong. Do not use it except to study it.",
    "no_gain": "In this direction the adaptation is no better than the base. Do not rely on it.",
    "worse": "In this direction the adaptation is worse than the base. Do not rely on it.",
    "unmeasured": "Nobody has measured this direction yet.",
    "pocket": "This is the pocket model: a very small one, which knows little beyond what it learnt from.",
    "skipped": "Left out: {name}. {reason}",
    "alternatives": "Other ways",
    "alternatives_help": "Click one to copy it. The share is how sure the model is of each word, on average.",
    "alternatives_some": "These are the first {count} sentences. Click one to copy it. The share is how sure the "
    "model is of each word, on average.",
    "alternatives_none": "The model found no other way to say: “{sentence}”.",
    "certainty_help": "how sure the model is of each word, on average",
    "delta_failed": "This language cannot be used any more: its file was damaged or taken away. Your text is still "
    "here; reload the page to see which languages there are.",
    "helpful": "Good translation",
    "unhelpful": "Poor translation",
    "suggest": "Suggest a better translation",
    "suggestion": "Your translation",
    "send": "Send",
    "consent": "What you send (the text, the translation and your suggestion) is stored with the languages and the "
    "model's name, without your name or address, to improve open language data. By sending you give your own words "
    "to the public domain (CC0); the model's words stay under the licence of its base. Send nothing private.",
    "health_kept_here": "Stored on this machine.",
    "health_waiting": "Stored here, and sent to the collection every few minutes.",
    "health_sent": "Last sent to the collection at {since} UTC.",
    "health_not_sent": "Stored here; the collection could not be reached at {since} UTC, and will be tried again.",
    "thanks": "Thank you! That was stored.",
    "known_already": "You have told us that already. Thank you!",
    "slow_down": "That is a lot at once. Please wait a minute.",
    "nothing_to_rate": "Translate something first.",
    "feedback_failed": "It could not be stored. Your text is still here; please try again later.",
    "column_direction": "Direction",
    "column_before": "Before",
    "column_after": "After",
    "column_model": "Model",
    "column_sentences": "Sentences",
    "column_size": "Size",
    "column_contributors": "With thanks to",
    "not_measured": "not measured",
    "languages_intro": "chrF++ on held-out sentences, with 95% intervals where they were computed: 0 is nothing in "
    "common, 100 the same text.",
    "add_yours": "Is your language missing? It takes sentences with their translation, one file that describes the "
    "language, and `cogsym adapt`.",
    "changes_intro": "How far each part of the model moved when it learned {language}. The stronger the colour, the "
    "further; where there is none, nothing changed: the adaptation trains the outermost layers and leaves the middle "
    "as it was.",
    "changes_none": "There is no record of what changed.",
    "compared_intro": "What that does: the first sentences of the test set, as the model translated them before and "
    "after.",
    "compared_source": "Text",
    "compared_reference": "Reference",
    "compared_base": "Before",
    "compared_adapted": "After",
    "part_outer": "Outside the layers",
    "layer": "Layer",
}

INDONESIAN = {
    "title": "Penerjemah CogSym",
    "tagline": "Cobalah bahasa-bahasa yang baru saja dipelajari sebuah model.",
    "tab_translate": "Terjemahkan",
    "tab_languages": "Bahasa",
    "tab_changes": "Yang berubah",
    "from": "Dari",
    "to": "Ke",
    "swap": "Tukar bahasa",
    "source": "Teks",
    "source_hint": "Tulis atau tempel sesuatu…",
    "translation": "Terjemahan",
    "base_translation": "Tanpa adaptasi",
    "translate": "Terjemahkan",
    "stop": "Hentikan",
    "copy_link": "Salin tautan",
    "link_copied": "Tautan disalin",
    "compare": "Tampilkan jawaban model sebelum belajar bahasa ini",
    "try": "Coba salah satu",
    "counter": "{count} dari {limit}",
    "loading": "Model masih dimuat. Silakan menulis dulu: teks Anda diterjemahkan begitu model siap.",
    "loading_translate": "Model masih dimuat…",
    "not_loaded": "Model tidak dapat dimuat, jadi saat ini tidak ada yang dapat diterjemahkan di sini. {reason}",
    "gone": "{language} tidak tersedia lagi di sini.",
    "working": "Menerjemahkan…",
    "queue": "Antrean ke-{place} dari {count}",
    "stopped": "Dihentikan. Teks Anda masih ada.",
    "nothing": "Tulislah sesuatu dulu.",
    "too_many": "Teks ini {count} karakter, sedangkan halaman ini memuat paling banyak {limit}. Tidak ada yang hilang: "
    "pendekkan, atau terjemahkan sebagian demi sebagian.",
    "too_long": "Satu kalimat berisi {count} token, sedangkan paling banyak {limit}: “{sentence}”. Bagilah dengan "
    "titik atau baris baru.",
    "no_direction": "Belum ada model di sini yang menerjemahkan dari {source} ke {target}.",
    "linked_elsewhere": "Tautan ini meminta {source} ke {target}, yang belum dapat diterjemahkan model mana pun di "
    "sini. Yang dipilih: {from_shown} ke {to_shown}.",
    "no_language": "Saat ini belum ada bahasa yang dapat diterjemahkan di sini.",
    "failed": "Ada yang salah di sini, bukan pada teks Anda. Silakan coba lagi.",
    "unended": "Model tidak menemukan akhir untuk: “{sentence}”. Yang tampil mungkin keliru.",
    "speed": "{seconds} dtk · {speed} token/dtk",
    "by_delta": "Adaptasi {language}",
    "by_base": "Model dasar tanpa adaptasi, yang mengenal kedua bahasa",
    "facts": "Tentang terjemahan ini",
    "fact_model": "Diterjemahkan oleh",
    "fact_base": "Model dasar",
    "fact_quality": "Mutu",
    "fact_before": "sebelumnya: {value}",
    "fact_sentences": "{n} kalimat, {dataset}",
    "fact_size": "Delta",
    "fact_size_of": "{size}, {share} dari bobot dilatih",
    "fact_licence": "Lisensi model dasar",
    "fact_card": "Kartu",
    "weak": "Arah ini lemah: akan ada kata yang salah atau karangan. Jangan diandalkan.",
    "poor": "Arah ini buruk: kebanyakan kalimat keliru. Jangan dipakai selain untuk mempelajarinya.",
    "no_gain": "Pada arah ini adaptasi tidak lebih baik daripada model dasar. Jangan diandalkan.",
    "worse": "Pada arah ini adaptasi lebih buruk daripada model dasar. Jangan diandalkan.",
    "unmeasured": "Arah ini belum pernah diukur.",
    "pocket": "Ini model saku: model yang sangat kecil, yang hanya sedikit mengenal hal di luar kalimat latihannya.",
    "skipped": "Tidak disertakan: {name}. {reason}",
    "alternatives": "Cara lain",
    "alternatives_help": "Klik salah satu untuk menyalinnya. Persentase menunjukkan seberapa yakin model akan tiap "
    "kata, rata-rata.",
    "alternatives_some": "Ini {count} kalimat pertama. Klik salah satu untuk menyalinnya. Persentase menunjukkan "
    "seberapa yakin model akan tiap kata, rata-rata.",
    "alternatives_none": "Model tidak menemukan cara lain untuk: “{sentence}”.",
    "certainty_help": "seberapa yakin model akan tiap kata, rata-rata",
    "delta_failed": "Bahasa ini tidak dapat dipakai lagi: berkasnya rusak atau dipindahkan. Teks Anda masih ada; "
    "muat ulang halaman untuk melihat bahasa yang tersedia.",
    "helpful": "Terjemahan baik",
    "unhelpful": "Terjemahan kurang baik",
    "suggest": "Usulkan terjemahan yang lebih baik",
    "suggestion": "Terjemahan Anda",
    "send": "Kirim",
    "consent": "Yang Anda kirim (teks, terjemahan dan usulan Anda) disimpan bersama bahasa dan nama modelnya, tanpa "
    "nama atau alamat Anda, untuk memperbaiki data bahasa terbuka. Dengan mengirim, Anda menyerahkan kata-kata Anda "
    "sendiri ke domain publik (CC0); kata-kata model tetap di bawah lisensi model dasarnya. Jangan kirim hal pribadi.",
    "health_kept_here": "Disimpan di mesin ini.",
    "health_waiting": "Disimpan di sini, dan dikirim ke kumpulan data setiap beberapa menit.",
    "health_sent": "Terakhir dikirim ke kumpulan data pukul {since} UTC.",
    "health_not_sent": "Disimpan di sini; kumpulan data tidak terjangkau pukul {since} UTC, dan akan dicoba lagi.",
    "thanks": "Terima kasih! Sudah disimpan.",
    "known_already": "Anda sudah memberi tahu kami. Terima kasih!",
    "slow_down": "Terlalu banyak sekaligus. Tunggulah semenit.",
    "nothing_to_rate": "Terjemahkan sesuatu dulu.",
    "feedback_failed": "Tidak dapat disimpan. Teks Anda masih ada; silakan coba lagi nanti.",
    "column_direction": "Arah",
    "column_before": "Sebelum",
    "column_after": "Sesudah",
    "column_model": "Model",
    "column_sentences": "Kalimat",
    "column_size": "Ukuran",
    "column_contributors": "Terima kasih kepada",
    "not_measured": "belum diukur",
    "languages_intro": "chrF++ pada kalimat uji, dengan selang 95% bila dihitung: 0 berarti tidak ada yang sama, 100 "
    "berarti teks yang sama.",
    "add_yours": "Bahasa Anda belum ada? Yang diperlukan: kalimat beserta terjemahannya, satu berkas yang "
    "menjelaskan bahasanya, dan `cogsym adapt`.",
    "changes_intro": "Seberapa jauh tiap bagian model bergeser ketika belajar {language}. Makin kuat warnanya, makin "
    "jauh; yang tidak berwarna tidak berubah sama sekali: adaptasi melatih lapisan terluar dan membiarkan bagian "
    "tengah seperti semula.",
    "changes_none": "Tidak ada catatan tentang yang berubah.",
    "compared_intro": "Akibatnya: kalimat-kalimat pertama dari set uji, diterjemahkan model sebelum dan sesudahnya.",
    "compared_source": "Teks",
    "compared_reference": "Terjemahan acuan",
    "compared_base": "Sebelum",
    "compared_adapted": "Sesudah",
    "part_outer": "Di luar lapisan",
    "layer": "Lapisan",
}

INTERFACES: dict[str, dict[str, str]] = {"en": ENGLISH, "id": INDONESIAN}


def choose_interface(accept_language: str | None) -> str:
    """The first interface language that a browser asks for (the `Accept-Language` header), else English."""
    for wanted in (accept_language or "").split(","):
        code = wanted.partition(";")[0].strip().partition("-")[0].lower()
        if code in INTERFACES:
            return code
    return "en"


def say(interface: str, key: str, **values: object) -> str:
    """One text in an interface language, its fields filled."""
    text = INTERFACES.get(interface, ENGLISH)[key]
    # In one pass, because values may hold braces.
    return _FIELD.sub(lambda field: _isolated(str(values.get(field[1], field[0]))), text)


def number(interface: str, value: int) -> str:
    """A whole number as the interface language groups its digits."""
    return f"{value:,}".replace(",", "." if interface == "id" else ",")


def _isolated(value: str) -> str:
    """A value that runs from right to left, with marks that keep the punctuation around it where it belongs."""
    runs_left = any(unicodedata.bidirectional(mark) in ("R", "AL") for mark in value)
    return f"\u2068{value}\u2069" if runs_left else value
