# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   tlcourse:
#     title: {en: "Start here: what transfer learning is", pl: "Zacznij tutaj: czym jest uczenie transferowe"}
#     minutes: 30
#     seconds: 12
#     prerequisites: []
# ---

# %% [markdown] lang="en"
# # Start here: what transfer learning is
#
# Nobody learns everything from the beginning. Networks need not, either.
#
# **After this lesson you will be able to**
#
# - transfer knowledge from one task to another in a single cell of code,
# - say what a domain, a task, a source and a target are, and which kinds of transfer there are,
# - explain by a formula when transfer helps, and when it harms,
# - find your way through this course.
#
# **You need**: some Python, and what a mean and a variance are. **Time**: about 30 minutes; the code runs in a dozen seconds. Run a cell
# by Shift + Enter. The same lesson [in Polish](../pl/00_start.ipynb).
# %% [markdown] lang="pl"
# # Zacznij tutaj: czym jest uczenie transferowe
#
# Nikt nie uczy się wszystkiego od początku. Sieci też nie muszą.
#
# **Po tej lekcji będziesz umieć**
#
# - przenieść wiedzę z jednego zadania do drugiego w jednej komórce kodu,
# - powiedzieć, czym są domena, zadanie, źródło i cel oraz jakie są rodzaje transferu,
# - wyjaśnić wzorem, kiedy transfer pomaga, a kiedy szkodzi,
# - poruszać się po tym kursie.
#
# **Co trzeba umieć**: trochę Pythona, pojęcia średniej i wariancji. **Czas**: około 30 minut; kod wykonuje się kilkanaście sekund. Komórkę
# uruchamiasz klawiszami Shift + Enter. Ta sama lekcja [po angielsku](../en/00_start.ipynb).

# %% tags=["setup"]
from tlcourse.classroom import start_lesson, t

start_lesson("00_start", lang="en")

# %% tags=["imports"]
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from IPython.display import Markdown

from tlcourse.classroom import (
    Prediction, Quiz, check, claim, current_language, explore, image_grid, palette, quiz, show, show_source, table,
)
from tlcourse.classroom.course_map import course_map
from tlcourse.classroom.glossary import as_markdown
from tlcourse.data.boards import load_boards
from tlcourse.feature_extraction import FeatureExtractor, knn_predict

# %% [markdown] lang="en"
# ## The idea
#
# A doctor who becomes a lawyer does not go back to primary school. She can read, argue, and work through a thick file at night; that she keeps. What she has to learn is the law. She will be a lawyer years
# before somebody who starts from nothing.
#
# **Transfer learning** does this with models. A network that was trained on one task (the **source**) is put to work on another (the **target**). Its early layers are general: edges and textures in
# images, grammar and relations between words in texts. Its late layers are specific. Keep what is general, and learn the rest.
#
# Robotics needs this more than most. A robot cannot make a million attempts: each one takes time, wears the gears, and somebody has to put the cup back on the table.
# %% [markdown] lang="pl"
# ## Pomysł
#
# Lekarka, która zostaje prawniczką, nie wraca do szkoły podstawowej. Umie czytać, argumentować i przebrnąć nocą przez gruby plik akt; to jej zostaje. Musi się nauczyć prawa. Będzie prawniczką o całe lata
# wcześniej niż ktoś, kto zaczyna od zera.
#
# **Uczenie transferowe** (ang. *transfer learning*) robi to samo z modelami. Sieć wytrenowana w jednym zadaniu (**źródłowym**) trafia do pracy w innym (**docelowym**). Jej wczesne warstwy są ogólne: krawędzie i tekstury
# w obrazach, gramatyka i związki między słowami w tekstach. Późne są swoiste. Zachowaj to, co ogólne, i naucz się reszty.
#
# Robotyka potrzebuje tego bardziej niż inne dziedziny. Robot nie może wykonać miliona prób: każda zajmuje czas, zużywa przekładnie, a kubek ktoś musi z powrotem postawić na stole.

# %% [markdown] lang="en"
# ## Your first transfer
#
# A factory photographs its circuit boards. On some of them a part is missing, on others solder has bridged two pins. You get **twenty** labelled photographs, and have to tell the two apart on new ones.
# %% [markdown] lang="pl"
# ## Twój pierwszy transfer
#
# Fabryka fotografuje płytki drukowane. Na niektórych brakuje elementu, na innych cyna połączyła dwie nóżki. Dostajesz **dwadzieścia** fotografii z etykietami i masz odróżniać te dwie wady na nowych.

# %%
train_images, train_labels, test_images, test_labels = load_boards()
two, two_test = ((labels == 1) | (labels == 3) for labels in (train_labels, test_labels))
images, labels = train_images[two], train_labels[two] == 3
new_images, new_labels = test_images[two_test], test_labels[two_test] == 3

names = [t("missing part", "brak elementu"), t("solder bridge", "mostek cyny")]
show(
    image_grid(images[:20], [names[label] for label in labels[:20].int()], rows=2),
    alt=t("Twenty small photographs of circuit boards, each with its label above.",
          "Dwadzieścia małych fotografii płytek drukowanych, każda z etykietą u góry."),
)

# %% tags=["predict"]
guess = Prediction(
    t("How many new boards out of a hundred will be told apart rightly? A coin would get 50.",
      "Ile nowych płytek na sto zostanie rozpoznanych poprawnie? Rzut monetą dałby 50."),
    low=0, high=100, unit="%",
)
guess

# %% [markdown] lang="en"
# Here is the whole transfer. A network that has learned from 1.3 million photographs of dogs, boats and teapots turns each image into 1,280 numbers; a new board gets the label of its nearest neighbours
# among these numbers. Nothing is trained.
# %% [markdown] lang="pl"
# Oto cały transfer. Sieć, która uczyła się na 1,3 miliona fotografii psów, łodzi i czajników, zamienia każdy obraz na 1280 liczb; nowa płytka dostaje etykietę najbliższych sąsiadów
# wśród tych liczb. Niczego nie trenujemy.

# %%
extractor = FeatureExtractor()
features, new_features = (extractor.extract_features(part) for part in (images, new_images))
answers = knn_predict(features[:20], labels[:20].int(), new_features, k=3)
accuracy = (answers == new_labels).float().mean().item()
guess.compare(100 * accuracy)

# %% [markdown] lang="en"
# The neighbours are found by this function, all of it: similarity, the $k$ nearest, a vote.
# %% [markdown] lang="pl"
# Sąsiadów znajduje ta funkcja, i to jest jej całość: podobieństwo, $k$ najbliższych, głosowanie.

# %%
show_source(knn_predict)

# %% [markdown] lang="en"
# ## Was it the transfer?
#
# Never believe a number without a baseline. We repeat the game with ten different sets of twenty labelled boards, and each time with plain pixels instead of features: same images, same vote.
# %% [markdown] lang="pl"
# ## Czy to zasługa transferu?
#
# Nigdy nie wierz liczbie bez punktu odniesienia. Powtarzamy zabawę z dziesięcioma różnymi zestawami po dwadzieścia płytek, za każdym razem także z samymi pikselami zamiast cech: te same obrazy, to samo głosowanie.

# %%
def pixels(batch):
    return F.interpolate(batch.float() / 255, (16, 16), mode="area").flatten(1)


def ten_runs(known, new):
    runs = []
    for seed in range(10):
        chosen = torch.randperm(len(known), generator=torch.Generator().manual_seed(seed))[:20]
        votes = knn_predict(known[chosen], labels[chosen].int(), new, k=3)
        runs.append((votes == new_labels).float().mean().item())
    return runs


by_features, by_pixels = ten_runs(features, new_features), ten_runs(pixels(images), pixels(new_images))

# %%
fig, ax = plt.subplots(figsize=(7, 2.4))
for row, (runs, colour) in enumerate(((by_pixels, "grey"), (by_features, "blue"))):
    ax.plot(runs, [row] * 10, "o", color=palette(colour), alpha=0.6)
    ax.plot(np.mean(runs), row, "|", color=palette(colour), markersize=32, markeredgewidth=3)
ax.axvline(0.5, color=palette("black"), linestyle=":")
ax.set(xlim=(0.3, 1), ylim=(-0.6, 1.6), xlabel=t("test accuracy"))
ax.set_yticks([0, 1], [t("pixels", "piksele"), t("pretrained features", "cechy wstępnie wytrenowane")])
show(fig, alt=t("Ten runs each: pixels stay near one half, pretrained features lie well above.",
                "Po dziesięć przebiegów: piksele są blisko połowy, cechy wstępnie wytrenowane znacznie wyżej."))

# %% [markdown] lang="en"
# A dot is one set of twenty boards, the bar is the mean, the dotted line pure chance. The pixels know nothing; the knowledge has come from the dogs, boats and teapots. [Lesson 01](01_feature_extraction.ipynb) takes this apart,
# and [lesson 02](02_fine_tuning.ipynb) makes it better.
# %% [markdown] lang="pl"
# Kropka to jeden zestaw dwudziestu płytek, kreska to średnia, a linia kropkowana to czysty przypadek. Piksele nic nie wiedzą; wiedza przyszła od psów, łodzi i czajników. [Lekcja 01](01_feature_extraction.ipynb) rozkłada to na części,
# a [lekcja 02](02_fine_tuning.ipynb) poprawia wynik.

# %% [markdown] lang="en"
# ## The mathematics
#
# The words of the field (Pan and Yang 2010, [doi 10.1109/TKDE.2009.191](https://doi.org/10.1109/TKDE.2009.191)):
#
# - A **domain** $\mathcal{D} = \{\mathcal{X}, P(X)\}$ is a space of inputs and how they are distributed: say, photographs of boards, and which of them are how frequent.
# - A **task** $\mathcal{T} = \{\mathcal{Y}, P(Y \mid X)\}$ is a space of labels and how they depend on the input.
# - **Transfer learning** improves the learning of the target's $P(Y_T \mid X_T)$ by what was learned in a source, where $\mathcal{D}_S \ne \mathcal{D}_T$ or $\mathcal{T}_S \ne \mathcal{T}_T$.
#
# What differs gives the kinds of transfer (Ruder 2017, [Transfer Learning](https://ruder.io/transfer-learning/)), each with its lessons here:
#
# | differs | example | lessons |
# | --- | --- | --- |
# | $\mathcal{X}_S \ne \mathcal{X}_T$ | commands in English, then in Polish | 05, 16 |
# | $P(X_S) \ne P(X_T)$ | a simulated camera, then a real one | 06, 07, 12 |
# | $\mathcal{Y}_S \ne \mathcal{Y}_T$ | a thousand things of ImageNet, then six kinds of boards | 01-04, 08, 09 |
# | $P(Y_S \mid X_S) \ne P(Y_T \mid X_T)$ | the same game with other rules | 10, 11, 14, 15 |
#
# Pan and Yang sort by the labels instead: **inductive** transfer (the target has labels, its task differs), **transductive** (only the source has labels, the domain differs), **unsupervised** (neither has).
# %% [markdown] lang="pl"
# ## Matematyka
#
# Słownik dziedziny (Pan i Yang 2010, [doi 10.1109/TKDE.2009.191](https://doi.org/10.1109/TKDE.2009.191)):
#
# - **Domena** $\mathcal{D} = \{\mathcal{X}, P(X)\}$ to przestrzeń danych wejściowych i ich rozkład: na przykład fotografie płytek i to, które są jak częste.
# - **Zadanie** $\mathcal{T} = \{\mathcal{Y}, P(Y \mid X)\}$ to przestrzeń etykiet i to, jak zależą one od danych wejściowych.
# - **Uczenie transferowe** ulepsza uczenie się docelowego $P(Y_T \mid X_T)$ dzięki temu, czego model nauczył się w źródle, gdzie $\mathcal{D}_S \ne \mathcal{D}_T$ lub $\mathcal{T}_S \ne \mathcal{T}_T$.
#
# To, co się różni, wyznacza rodzaje transferu (Ruder 2017, [Transfer Learning](https://ruder.io/transfer-learning/)), a każdy ma tu swoje lekcje:
#
# | różni się | przykład | lekcje |
# | --- | --- | --- |
# | $\mathcal{X}_S \ne \mathcal{X}_T$ | polecenia po angielsku, potem po polsku | 05, 16 |
# | $P(X_S) \ne P(X_T)$ | kamera symulowana, potem prawdziwa | 06, 07, 12 |
# | $\mathcal{Y}_S \ne \mathcal{Y}_T$ | tysiąc rzeczy z ImageNetu, potem sześć rodzajów płytek | 01-04, 08, 09 |
# | $P(Y_S \mid X_S) \ne P(Y_T \mid X_T)$ | ta sama gra z innymi regułami | 10, 11, 14, 15 |
#
# Pan i Yang porządkują inaczej, według etykiet: transfer **indukcyjny** (cel ma etykiety, jego zadanie jest inne), **transdukcyjny** (etykiety ma tylko źródło, domena jest inna) i **nienadzorowany** (etykiet nie ma nikt).

# %% [markdown] lang="en"
# **When does it help?** The smallest example holds the whole story. A robot weighs a new kind of cup. One weighing is the true mass $\mu_T$ plus noise of variance $\sigma^2$; it has $n$ of them, with mean $\bar{x}$. From another
# kind of cup it knows a mass $\mu_S$, which differs by $\delta = \mu_S - \mu_T$. It mixes the two with a weight $w$:
#
# $$\hat{\mu} = w\, \mu_S + (1 - w)\, \bar{x}.$$
#
# The source contributes an error $w \delta$ that never averages out; the own data contribute noise of variance $(1 - w)^2 \sigma^2 / n$. The expected squared error is therefore
#
# $$E(w) = w^2 \delta^2 + (1 - w)^2 \frac{\sigma^2}{n}.$$
#
# **The step that matters.** Set the derivative $2 w \delta^2 - 2 (1 - w) \sigma^2 / n$ to zero:
#
# $$w^* = \frac{\sigma^2 / n}{\delta^2 + \sigma^2 / n}.$$
#
# - Few data or a near source: $w^*$ is near 1. Trust the source; transfer helps most **here**.
# - Many data or a distant source: $w^*$ is near 0, and transfer gains nothing.
# - The source alone ($w = 1$) is **worse than nothing** as soon as $\delta^2 > \sigma^2 / n$. This is *negative transfer*.
# %% [markdown] lang="pl"
# **Kiedy to pomaga?** Najmniejszy przykład zawiera całą historię. Robot waży nowy rodzaj kubka. Jedno ważenie to prawdziwa masa $\mu_T$ plus szum o wariancji $\sigma^2$; ma ich $n$, o średniej $\bar{x}$. Z innego
# rodzaju kubków zna masę $\mu_S$, która różni się o $\delta = \mu_S - \mu_T$. Miesza obie z wagą $w$:
#
# $$\hat{\mu} = w\, \mu_S + (1 - w)\, \bar{x}.$$
#
# Źródło wnosi błąd $w \delta$, który nigdy się nie uśredni; własne dane wnoszą szum o wariancji $(1 - w)^2 \sigma^2 / n$. Oczekiwany błąd kwadratowy to zatem
#
# $$E(w) = w^2 \delta^2 + (1 - w)^2 \frac{\sigma^2}{n}.$$
#
# **Najważniejszy krok.** Przyrównaj pochodną $2 w \delta^2 - 2 (1 - w) \sigma^2 / n$ do zera:
#
# $$w^* = \frac{\sigma^2 / n}{\delta^2 + \sigma^2 / n}.$$
#
# - Mało danych lub bliskie źródło: $w^*$ jest bliskie 1. Zaufaj źródłu; **tutaj** transfer pomaga najbardziej.
# - Dużo danych lub odległe źródło: $w^*$ jest bliskie 0 i transfer nic nie daje.
# - Samo źródło ($w = 1$) jest **gorsze niż nic**, gdy tylko $\delta^2 > \sigma^2 / n$. To *transfer negatywny* (ang. *negative transfer*).

# %% [markdown] lang="en"
# ## Explore: how far to trust the source
#
# Move both sliders. When is the blue minimum at the right end, and when at the left? Noise has $\sigma = 10$ grams.
# %% [markdown] lang="pl"
# ## Zbadaj: ile zaufać źródłu
#
# Przesuwaj oba suwaki. Kiedy niebieskie minimum leży przy prawym końcu, a kiedy przy lewym? Szum ma $\sigma = 10$ gramów.

# %% tags=["widget"]
def error(w, n, delta, sigma=10.0):
    return w**2 * delta**2 + (1 - w) ** 2 * sigma**2 / n


def best_weight(n, delta, sigma=10.0):
    return (sigma**2 / n) / (delta**2 + sigma**2 / n)


def draw(n, delta):
    w, best = np.linspace(0, 1, 101), best_weight(n, delta)
    fig, ax = plt.subplots(figsize=(7, 3.2))
    ax.plot(w, error(w, n, delta), color=palette("grey"))
    for weight, colour, label in ((0, "orange", t("own data only", "tylko własne dane")), (1, "red", t("source only", "tylko źródło")),
                                  (best, "blue", t("the best mixture", "najlepsza mieszanka"))):
        ax.plot(weight, error(weight, n, delta), "o", markersize=10, color=palette(colour), label=label)
    ax.set(xlabel=t("weight of the source, $w$", "waga źródła, $w$"), ylabel=t("squared error (g²)", "błąd kwadratowy (g²)"), ylim=(0, 110))
    ax.legend(loc="upper center")
    return fig, t(f"The best weight of the source is {best:.2f}.", f"Najlepsza waga źródła to {best:.2f}.")


explore(draw, n=[1, 2, 3, 5, 10, 20, 50], delta=(0, 10, 1),
        labels={"n": t("own weighings, n", "własne ważenia, n"), "delta": t("difference, δ (g)", "różnica, δ (g)")})

# %% [markdown] lang="en"
# ## When it fails
#
# Do not believe the formula: weigh. We let the robot weigh cups with $n = 5$ ten thousand times, for a near source ($\delta = 2$ g) and a distant one ($\delta = 9$ g).
# %% [markdown] lang="pl"
# ## Kiedy to zawodzi
#
# Nie wierz wzorowi: zważ. Robot waży kubki z $n = 5$ dziesięć tysięcy razy, raz ze źródłem bliskim ($\delta = 2$ g), a raz z odległym ($\delta = 9$ g).

# %%
rng = np.random.default_rng(0)
true_mass, n, simulated = 250.0, 5, {}
for delta in (2, 9):
    means = true_mass + rng.normal(0, 10, (10_000, n)).mean(1)
    for w in (0, best_weight(n, delta), 1):
        estimates = w * (true_mass + delta) + (1 - w) * means
        simulated[delta, w] = ((estimates - true_mass) ** 2).mean()

rows = [(f"{delta} g", w, measured, error(w, n, delta)) for (delta, w), measured in simulated.items()]
table(rows, [t("difference", "różnica"), t("weight of the source", "waga źródła"), t("measured error (g²)", "błąd zmierzony (g²)"), t("by the formula", "ze wzoru")])

# %% [markdown] lang="en"
# From the near source alone the robot gets a far better estimate than from its own five weighings. From the distant one it gets a **worse** one: knowledge has harmed. And the best mixture is never worse than either. All of
# transfer learning looks for this mixture, in models where nobody can write down $\delta$.
# %% [markdown] lang="pl"
# Z samego bliskiego źródła robot dostaje o wiele lepsze oszacowanie niż z własnych pięciu ważeń. Z odległego **gorsze**: wiedza zaszkodziła. A najlepsza mieszanka nigdy nie jest gorsza od żadnego z nich. Całe
# uczenie transferowe szuka tej mieszanki w modelach, dla których nikt nie umie zapisać $\delta$.

# %% [markdown] lang="en"
# ## In robotics
#
# Four problems accompany you through the course:
#
# - **object recognition**: a camera trained on photographs of everyday things has to inspect circuit boards,
# - **navigation**: a route that was learned in one building, driven in another,
# - **control**: an arm or a pole that was balanced in simulation meets the real friction and delay,
# - **adaptive learning**: tools wear and light changes; the robot has to follow without forgetting what it knew.
# %% [markdown] lang="pl"
# ## W robotyce
#
# Przez cały kurs towarzyszą ci cztery problemy:
#
# - **rozpoznawanie obiektów**: kamera wytrenowana na fotografiach przedmiotów codziennych ma kontrolować płytki drukowane,
# - **nawigacja**: trasa wyuczona w jednym budynku, przejechana w innym,
# - **sterowanie**: ramię lub wahadło, które w symulacji trzymało równowagę, spotyka prawdziwe tarcie i opóźnienie,
# - **uczenie adaptacyjne**: narzędzia się zużywają, światło się zmienia; robot ma za tym nadążyć i nie zapomnieć tego, co umiał.

# %% [markdown] lang="en"
# ## The map of the course
# %% [markdown] lang="pl"
# ## Mapa kursu

# %%
course_map()

# %% [markdown] lang="en"
# **On your own**: take the lessons in order, or follow the “You need” line of the one that interests you. Commit to a guess before each experiment; do the exercises before you unfold their solutions. An evening a lesson is a good pace.
#
# **In class**: a lesson fills about 45 minutes of lecture, with the cells run live, and an exercise class of the same length. Let the students vote on the predictions. Everything runs on a laptop without internet; figures and text of a lesson can be read without running anything.
# %% [markdown] lang="pl"
# **Samodzielnie**: przechodź lekcje po kolei albo kieruj się wierszem „Co trzeba umieć” w tej, która cię interesuje. Zgaduj przed każdym eksperymentem; rób ćwiczenia, zanim rozwiniesz rozwiązania. Dobre tempo to jedna lekcja na wieczór.
#
# **Na zajęciach**: lekcja wypełnia około 45 minut wykładu z komórkami uruchamianymi na żywo i drugie tyle ćwiczeń. Niech studenci głosują, co wyjdzie. Wszystko działa na laptopie bez internetu; wykresy i tekst można czytać, niczego nie uruchamiając.

# %% [markdown] lang="en"
# ## Exercises
#
# **1. The error of a mixture.** Write $E(w)$. The arguments are the weight `w`, the number of weighings `n`, the difference `delta` and the deviation `sigma`.
# %% [markdown] lang="pl"
# ## Ćwiczenia
#
# **1. Błąd mieszanki.** Zapisz $E(w)$. Argumenty to waga `w`, liczba ważeń `n`, różnica `delta` i odchylenie `sigma`.

# %% tags=["exercise"]
def mixture_error(w, n, delta, sigma):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# Two terms: the source's share `w` times its difference, squared; and the own data's share `1 - w`, squared, times the variance of a mean of `n`.
# %% [markdown] lang="pl" tags=["hint"]
# Dwa składniki: udział źródła `w` razy jego różnica, do kwadratu; oraz udział własnych danych `1 - w`, do kwadratu, razy wariancja średniej z `n`.

# %% tags=["check"]
check("mixture_error", mixture_error)


# %% tags=["solution"]
def mixture_error(w, n, delta, sigma):
    return w**2 * delta**2 + (1 - w) ** 2 * sigma**2 / n


# %% [markdown] lang="en"
# **2. The break-even point.** From how many own weighings on is the source alone *worse* than the own data alone? Return the smallest whole number `n`.
# %% [markdown] lang="pl"
# **2. Próg opłacalności.** Od ilu własnych ważeń samo źródło jest *gorsze* niż same własne dane? Zwróć najmniejszą liczbę całkowitą `n`.

# %% tags=["exercise"]
def break_even(delta, sigma):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# Negative transfer begins where $\delta^2 > \sigma^2 / n$. Solve for $n$; the next whole number above it is `math.floor(...) + 1`.
# %% [markdown] lang="pl" tags=["hint"]
# Transfer negatywny zaczyna się tam, gdzie $\delta^2 > \sigma^2 / n$. Wyznacz $n$; następna liczba całkowita powyżej to `math.floor(...) + 1`.

# %% tags=["check"]
check("break_even", break_even)

# %% tags=["solution"]
import math


def break_even(delta, sigma):
    return math.floor(sigma**2 / delta**2) + 1


# %% [markdown] lang="en"
# ## Quiz
# %% [markdown] lang="pl"
# ## Quiz

# %% tags=["quiz"]
quiz(
    Quiz(
        t("A network trained on ImageNet now inspects boards. What is the source, and what the target?",
          "Sieć wytrenowana na ImageNecie kontroluje teraz płytki. Co jest źródłem, a co celem?"),
        [
            (t("The boards are the source, ImageNet the target.", "Źródłem są płytki, a celem ImageNet."), False,
             t("The other way round: knowledge flows *from* the source.", "Odwrotnie: wiedza płynie *ze* źródła.")),
            (t("ImageNet is the source, the boards are the target.", "Źródłem jest ImageNet, a celem są płytki."), True,
             t("Yes: learned there, used here.", "Tak: nauka tam, praca tutaj.")),
            (t("Both are sources.", "Jedno i drugie jest źródłem."), False,
             t("Then there would be nothing to transfer to.", "Wtedy nie byłoby dokąd przenosić.")),
        ],
    ),
    Quiz(
        t("The same defects are photographed by a new, darker camera. What differs between source and target?",
          "Te same wady fotografuje nowa, ciemniejsza kamera. Co różni źródło i cel?"),
        [
            (t("The distribution of the inputs, $P(X)$.", "Rozkład danych wejściowych, $P(X)$."), True,
             t("Yes: the images look different, their labels mean the same.", "Tak: obrazy wyglądają inaczej, a etykiety znaczą to samo.")),
            (t("The space of labels, $\\mathcal{Y}$.", "Przestrzeń etykiet, $\\mathcal{Y}$."), False,
             t("The defects, and so their labels, are the same.", "Wady, a więc i etykiety, są te same.")),
            (t("Nothing, since both are photographs of boards.", "Nic, bo to i to są fotografie płytek."), False,
             t("Dark images are a shift that can break a network; see lessons 06 and 07.",
               "Ciemniejsze obrazy to przesunięcie, które potrafi zepsuć sieć; o tym są lekcje 06 i 07.")),
        ],
    ),
    Quiz(
        t("You have plenty of target data, and a source that differs a lot. What does the formula say?",
          "Masz mnóstwo danych docelowych i bardzo odmienne źródło. Co mówi wzór?"),
        [
            (t("Transfer as much as possible.", "Przenieś jak najwięcej."), False,
             t("Then the error $\\delta^2$ of the source would dominate.", "Wtedy przeważyłby błąd źródła $\\delta^2$.")),
            (t("The best weight is always one half.", "Najlepsza waga to zawsze jedna druga."), False,
             t("Only if $\\delta^2$ and $\\sigma^2 / n$ happen to be equal.", "Tylko gdy $\\delta^2$ i $\\sigma^2 / n$ są akurat równe.")),
            (t("The best weight of the source is close to 0.", "Najlepsza waga źródła jest bliska 0."), True,
             t("Yes: $w^*$ falls with $n$ and with $\\delta^2$.", "Tak: $w^*$ maleje wraz z $n$ i z $\\delta^2$.")),
        ],
    ),
)

# %% [markdown] lang="en"
# ## What we saw
#
# - One cell transferred the eyes of a network from dogs and boats to circuit boards.
# - A domain is inputs and their distribution, a task is labels and how they depend on inputs; what differs decides the method.
# - Transfer helps with few data and a near source; with a distant source it can harm.
# - The map leads on.
#
# The numbers of this very run have to agree:
# %% [markdown] lang="pl"
# ## Podsumowanie
#
# - Jedna komórka przeniosła oczy sieci z psów i łodzi na płytki drukowane.
# - Domena to dane wejściowe i ich rozkład, zadanie to etykiety i to, jak zależą od danych; to, co się różni, decyduje o metodzie.
# - Transfer pomaga przy małej liczbie danych i bliskim źródle; przy odległym może zaszkodzić.
# - Dalej prowadzi mapa.
#
# Liczby z tego właśnie uruchomienia muszą się z tym zgadzać:

# %% tags=["claim"]
gain = np.array(by_features) - np.array(by_pixels)
claim(t("With twenty labels features beat pixels, on average by", "Przy dwudziestu etykietach cechy wygrywają z pikselami średnio o"), gain.mean(), at_least=0.15)
claim(t("They win in so many of ten draws", "Wygrywają w tylu z dziesięciu losowań"), (gain > 0).sum(), at_least=8)
claim(t("The near source alone beats the own data by", "Samo bliskie źródło wygrywa z własnymi danymi o"), simulated[2, 0] - simulated[2, 1], at_least=10, unit="g²")
claim(t("The distant source alone loses by", "Samo odległe źródło przegrywa o"), simulated[9, 1] - simulated[9, 0], at_least=40, unit="g²")

# %% [markdown] lang="en"
# ## Where to go next
#
# - [Lesson 01, feature extraction](01_feature_extraction.ipynb)
# - Pan and Yang 2010, *A Survey on Transfer Learning*, [doi 10.1109/TKDE.2009.191](https://doi.org/10.1109/TKDE.2009.191)
# - Ruder 2017, *Transfer Learning - Machine Learning's Next Frontier*, [ruder.io](https://ruder.io/transfer-learning/)
# - Wang et al. 2019, *Characterizing and Avoiding Negative Transfer*, [arXiv 1811.09751](https://arxiv.org/abs/1811.09751)
#
# ## Glossary
#
# Every term of the course, in both languages, with the lesson that explains it.
# %% [markdown] lang="pl"
# ## Co dalej
#
# - [Lekcja 01, ekstrakcja cech](01_feature_extraction.ipynb)
# - Pan i Yang 2010, *A Survey on Transfer Learning*, [doi 10.1109/TKDE.2009.191](https://doi.org/10.1109/TKDE.2009.191)
# - Ruder 2017, *Transfer Learning - Machine Learning's Next Frontier*, [ruder.io](https://ruder.io/transfer-learning/)
# - Wang i in. 2019, *Characterizing and Avoiding Negative Transfer*, [arXiv 1811.09751](https://arxiv.org/abs/1811.09751)
#
# ## Słowniczek
#
# Wszystkie terminy kursu w obu językach, z lekcją, która je wyjaśnia.

# %%
Markdown(as_markdown(current_language()))
