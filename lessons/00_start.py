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
# Nobody learns everything from the beginning. Nor do networks have to.
#
# **After this lesson you will be able to**
#
# - transfer knowledge from one task to another in a single cell of code,
# - say what a domain, a task, a source and a target are, and which kinds of transfer there are,
# - explain by a formula when transfer helps, and when it harms,
# - find your way through this course.
#
# **You need**: some Python, means and variances, conditional probability, and how to differentiate a polynomial. **Time**: about 30 minutes; the code runs in
# a dozen seconds. Run a cell with Shift + Enter. In the code, `t("…", "…")` only picks the text in your language. The same lesson in the other language: [English](../en/00_start.ipynb), [polski](../pl/00_start.ipynb).
# %% [markdown] lang="pl"
# # Zacznij tutaj: czym jest uczenie transferowe
#
# Nikt nie uczy się wszystkiego od początku. Sieci też nie muszą.
#
# **Po tej lekcji będziesz umieć**
#
# - w jednej komórce kodu przenieść wiedzę z jednego zadania do drugiego,
# - powiedzieć, czym są domena, zadanie, źródło i cel oraz jakie są rodzaje transferu,
# - wyjaśnić za pomocą wzoru, kiedy transfer pomaga, a kiedy szkodzi,
# - poruszać się po tym kursie.
#
# **Co trzeba umieć**: podstawy Pythona, średnia i wariancja, prawdopodobieństwo warunkowe, pochodna wielomianu. **Czas**: około 30 minut; kod wykonuje się
# kilkanaście sekund. Komórkę uruchamiasz klawiszami Shift + Enter. W kodzie `t("…", "…")` wybiera tylko tekst w twoim języku. Ta sama lekcja w drugim języku: [English](../en/00_start.ipynb), [polski](../pl/00_start.ipynb).

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
# A doctor who becomes a lawyer does not go back to primary school. She can read, argue, and work through a thick file at night, and she keeps all of that. What she has to learn is the law. She will be a lawyer years
# before somebody who starts from nothing.
#
# **Transfer learning** does this with models. A network that was trained on one task (the **source**) is put to work on another (the **target**). Its early layers detect general things: edges and textures in
# images, grammar and relations between words in texts. Its late layers serve the one task. Keep what is general, and learn the rest.
#
# Robotics needs this more than most fields. A robot cannot make a million attempts: each one takes time, wears the gears, and somebody has to put the cup back on the table.
# %% [markdown] lang="pl"
# ## Pomysł
#
# Lekarka, która zostaje prawniczką, nie wraca do szkoły podstawowej. Umie czytać, argumentować i przebrnąć nocą przez grube akta; to już ma. Musi się nauczyć tylko prawa. Będzie prawniczką o całe lata
# wcześniej niż ktoś, kto zaczyna od zera.
#
# **Uczenie transferowe** (ang. *transfer learning*) stosuje ten sam pomysł do modeli. Sieć wytrenowana do jednego zadania (**źródłowego**, ang. *source*) dostaje inne (**docelowe**, ang. *target*). Jej początkowe warstwy wychwytują to, co ogólne: krawędzie i tekstury
# w obrazach, gramatykę i związki między słowami w tekstach. Końcowe służą konkretnemu zadaniu. Zachowaj to, co ogólne, i doucz resztę.
#
# Robotyka potrzebuje tego bardziej niż inne dziedziny. Robot nie może wykonać miliona prób: każda trwa, zużywa przekładnie, a kubek ktoś musi z powrotem postawić na stole.

# %% [markdown] lang="en"
# ## Your first transfer
#
# A factory inspects its circuit boards with a camera. (Our pictures are drawn by a program that imitates one, so that everyone has the same data.) On some boards a part is missing, on others solder has joined two pins. You get
# **twenty** labelled pictures, and have to tell the two defects apart on new ones.
# %% [markdown] lang="pl"
# ## Twój pierwszy transfer
#
# Fabryka kontroluje płytki drukowane za pomocą kamery. (Nasze zdjęcia rysuje program, który ją naśladuje, żeby wszyscy mieli te same dane.) Na niektórych płytkach brakuje elementu, na innych cyna połączyła dwie nóżki. Dostajesz
# **dwadzieścia** zdjęć z etykietami i masz odróżniać te dwie wady na nowych.

# %%
train_images, train_labels, test_images, test_labels = load_boards()
MISSING, BRIDGE = 1, 3

keep = (train_labels == MISSING) | (train_labels == BRIDGE)
images, labels = train_images[keep], (train_labels[keep] == BRIDGE).long()
keep = (test_labels == MISSING) | (test_labels == BRIDGE)
new_images, new_labels = test_images[keep], (test_labels[keep] == BRIDGE).long()

names = [t("missing part", "brak elementu"), t("solder bridge", "mostek lutowniczy")]
show(
    image_grid(images[:20], [names[label] for label in labels[:20]], rows=2),
    alt=t("Twenty small pictures of circuit boards, each with its label above.",
          "Dwadzieścia małych zdjęć płytek drukowanych, każda z etykietą u góry."),
)

# %% tags=["predict"]
guess = Prediction(
    t("How many new boards out of a hundred will be labelled correctly? A coin would get 50.",
      "Ile nowych płytek na sto zostanie rozpoznanych poprawnie? Rzut monetą dałby 50."),
    low=0, high=100, unit="%",
)
guess

# %% [markdown] lang="en"
# Here is the whole transfer. We take a network that was trained on **ImageNet**: 1.3 million photographs of a thousand kinds of things, such as dogs, boats and teapots. We drop only its last layer, the one that names them. What remains
# turns each picture into 1,280 numbers, its **features**. A new board gets the label that most of its three nearest neighbours have, the labelled boards with the most similar features. No weight is trained.
# %% [markdown] lang="pl"
# Oto cały transfer. Bierzemy sieć wytrenowaną na **ImageNecie**: 1,3 miliona fotografii tysiąca rodzajów rzeczy, takich jak psy, łodzie i czajniki. Odcinamy tylko ostatnią warstwę, tę, która je nazywa. Reszta
# zamienia każde zdjęcie na 1280 liczb, czyli **cech** (ang. *features*). Nowa płytka dostaje etykietę, którą ma większość z jej trzech najbliższych sąsiadów, czyli płytek z etykietami o najbardziej podobnych cechach. Żadnej wagi nie trenujemy.

# %%
extractor = FeatureExtractor()
features, new_features = (extractor.extract_features(part) for part in (images, new_images))
answers = knn_predict(features[:20], labels[:20], new_features, k=3)
accuracy = (answers == new_labels).float().mean().item()
guess.compare(100 * accuracy)

# %% [markdown] lang="en"
# This function finds the neighbours. After checking its arguments it takes three steps: `similarity` holds the cosine of the angle between each new and each labelled feature vector, `topk` picks the $k$ largest, and `scatter_add` counts
# their votes; the small extra term only breaks ties.
# %% [markdown] lang="pl"
# Sąsiadów znajduje poniższa funkcja. Sprawdza argumenty, a potem robi trzy kroki: `similarity` to cosinus kąta między wektorem cech każdej nowej płytki i każdej płytki z etykietą, `topk` wybiera $k$ największych, a `scatter_add` liczy
# głosy; mały dodatkowy składnik rozstrzyga tylko remisy.

# %%
show_source(knn_predict)

# %% [markdown] lang="en"
# ## Was it the transfer?
#
# Never believe a number without a baseline. The factory has labelled 267 such boards; we draw twenty of them ten times. Each time the pretrained features meet two rivals: plain pixels (shrunk to 16 × 16), and the features of the *same
# network with random weights*. Same boards, same vote; only the numbers differ.
# %% [markdown] lang="pl"
# ## Czy to zasługa transferu?
#
# Nigdy nie wierz liczbie bez punktu odniesienia. Fabryka ma 267 takich płytek z etykietami; dziesięć razy losujemy z nich dwadzieścia. Za każdym razem cechy sieci wstępnie wytrenowanej mają dwóch rywali: same piksele (zmniejszone do 16 × 16)
# i cechy *tej samej sieci z losowymi wagami*. Te same płytki, to samo głosowanie; różnią się tylko liczby.

# %%
def pixels(batch):
    return F.interpolate(batch.float() / 255, (16, 16), mode="area").flatten(1)


def ten_runs(known, new):
    runs = []
    for seed in range(10):
        chosen = torch.randperm(len(known), generator=torch.Generator().manual_seed(seed))[:20]
        votes = knn_predict(known[chosen], labels[chosen], new, k=3)
        runs.append((votes == new_labels).float().mean().item())
    return runs


untrained = FeatureExtractor(weights=None)
by_features = ten_runs(features, new_features)
by_untrained = ten_runs(untrained.extract_features(images), untrained.extract_features(new_images))
by_pixels = ten_runs(pixels(images), pixels(new_images))

# %%
fig, ax = plt.subplots(figsize=(7, 2.4))
for row, (runs, colour) in enumerate(((by_pixels, "grey"), (by_untrained, "orange"), (by_features, "blue"))):
    ax.plot(runs, [row] * 10, "o", color=palette(colour), alpha=0.6)
    ax.plot(np.mean(runs), row, "|", color=palette(colour), markersize=32, markeredgewidth=3)
ax.axvline(0.5, color=palette("black"), linestyle=":")
ax.set(xlim=(0.3, 1), ylim=(-0.6, 2.6), xlabel=t("test accuracy"))
ax.set_yticks(range(3), [t("pixels", "piksele"), t("untrained network", "sieć niewytrenowana"), t("pretrained network", "sieć wstępnie wytrenowana")])
show(fig, alt=t("Ten runs each: pixels and the untrained network stay near one half, the pretrained network lies well above.",
                "Po dziesięć przebiegów: piksele i sieć niewytrenowana dają wynik bliski jednej drugiej, sieć wstępnie wytrenowana znacznie wyższy."))

# %% [markdown] lang="en"
# A dot is one set of twenty boards, the bar is the mean, the dotted line pure chance. The dots scatter: one run is not a measurement, and our first one was lucky or unlucky. But pixels are no better than a coin, nor is the same network before
# training. So the gain comes from what the network learned from dogs, boats and teapots. ([Lesson 01](01_feature_extraction.ipynb) takes this apart, [lesson 02](02_fine_tuning.ipynb) makes it better. And look at the twenty pictures again: a solder
# bridge always comes with a big black chip. Does the network see solder, or the chip? A real inspection must ask such questions.)
# %% [markdown] lang="pl"
# Kropka to jeden zestaw dwudziestu płytek, kreska to średnia, a linia kropkowana to wynik rzutu monetą. Kropki są rozrzucone: jeden przebieg to jeszcze nie pomiar, a nasz pierwszy miał szczęście albo pecha. Ale piksele nie są lepsze od monety i tak
# samo ta sama sieć przed treningiem. Zysk bierze się więc z tego, czego sieć nauczyła się na psach, łodziach i czajnikach. ([Lekcja 01](01_feature_extraction.ipynb) rozkłada to na czynniki pierwsze, [lekcja 02](02_fine_tuning.ipynb) poprawia wynik. A teraz spójrz
# jeszcze raz na dwadzieścia zdjęć: mostkowi lutowniczemu zawsze towarzyszy duży czarny układ. Czy sieć widzi cynę, czy układ? Prawdziwa kontrola musi zadawać takie pytania.)

# %% [markdown] lang="en"
# ## The mathematics
#
# The words of the field (Pan and Yang 2010, [doi 10.1109/TKDE.2009.191](https://doi.org/10.1109/TKDE.2009.191)):
#
# - A **domain** $\mathcal{D} = \{\mathcal{X}, P(X)\}$ is a space of inputs and a distribution over it: say, all images of 96 × 96 pixels, and how often each one occurs in the factory.
# - A **task** $\mathcal{T} = \{\mathcal{Y}, P(Y \mid X)\}$ is a space of labels and the probability of each label given the input.
# - **Transfer learning** tries to learn the target's $P(Y_T \mid X_T)$ better by using what was learned in a source, where $\mathcal{D}_S \ne \mathcal{D}_T$ or $\mathcal{T}_S \ne \mathcal{T}_T$.
#
# What differs gives the kinds of transfer (Ruder 2017, [Transfer Learning](https://ruder.io/transfer-learning/)), each with its lessons here:
#
# | differs | example | lessons |
# | --- | --- | --- |
# | $\mathcal{X}_S \ne \mathcal{X}_T$ | commands in English, then in Polish | 05, 16 |
# | $P(X_S) \ne P(X_T)$ | a simulated camera, then a real one | 06, 07, 12 |
# | $\mathcal{Y}_S \ne \mathcal{Y}_T$ | a thousand classes of ImageNet, then two defects of boards | 01–04, 08, 09 |
# | $P(Y_S \mid X_S) \ne P(Y_T \mid X_T)$ | the same screen of a game, another best move: the rules changed | 10, 11, 14, 15 |
#
# Pan and Yang sort by the labels instead: **inductive** transfer (the target has labels, its task differs), **transductive** (only the source has labels; the task is the same, the domain differs), **unsupervised** (neither has). Often several things differ at once: from ImageNet to boards, both images and labels.
# %% [markdown] lang="pl"
# ## Matematyka
#
# Słownik dziedziny (S. J. Pan i Q. Yang 2010, [doi 10.1109/TKDE.2009.191](https://doi.org/10.1109/TKDE.2009.191)):
#
# - **Domena** (ang. *domain*) $\mathcal{D} = \{\mathcal{X}, P(X)\}$ to przestrzeń danych wejściowych i rozkład na niej: na przykład wszystkie obrazy 96 × 96 pikseli i to, jak często każdy z nich trafia się w fabryce.
# - **Zadanie** (ang. *task*) $\mathcal{T} = \{\mathcal{Y}, P(Y \mid X)\}$ to przestrzeń etykiet i prawdopodobieństwo każdej z nich przy danym wejściu.
# - **Uczenie transferowe** stara się lepiej nauczyć docelowego $P(Y_T \mid X_T)$ dzięki temu, czego model nauczył się na źródle, przy czym $\mathcal{D}_S \ne \mathcal{D}_T$ lub $\mathcal{T}_S \ne \mathcal{T}_T$.
#
# To, co się różni, wyznacza rodzaje transferu (Ruder 2017, [Transfer Learning](https://ruder.io/transfer-learning/)), a każdy ma tu swoje lekcje:
#
# | co się różni | przykład | lekcje |
# | --- | --- | --- |
# | $\mathcal{X}_S \ne \mathcal{X}_T$ | polecenia po angielsku, potem po polsku | 05, 16 |
# | $P(X_S) \ne P(X_T)$ | kamera symulowana, potem prawdziwa | 06, 07, 12 |
# | $\mathcal{Y}_S \ne \mathcal{Y}_T$ | tysiąc klas z ImageNetu, potem dwie wady płytek | 01–04, 08, 09 |
# | $P(Y_S \mid X_S) \ne P(Y_T \mid X_T)$ | ten sam ekran gry, inny najlepszy ruch: zmieniły się reguły | 10, 11, 14, 15 |
#
# S. J. Pan i Q. Yang dzielą transfer inaczej, według etykiet: **indukcyjny** (ang. *inductive*; etykiety ma cel, a jego zadanie jest inne), **transdukcyjny** (ang. *transductive*; etykiety ma tylko źródło, zadanie jest to samo, a domena inna) i **nienadzorowany** (ang. *unsupervised*; etykiet nie ma ani źródło, ani cel). Często różni się kilka rzeczy naraz: od ImageNetu do płytek zmieniają się i obrazy, i etykiety.

# %% [markdown] lang="en"
# **When does it help?** The smallest example shows it all. A robot weighs a new kind of cup. One weighing is the true mass $\mu_T$ plus noise with mean 0 and variance $\sigma^2$; the robot has $n$ independent weighings, with mean $\bar{x}$. From another
# kind of cup it knows a mass $\mu_S$, which differs by $\delta = \mu_S - \mu_T$. It mixes the two with a weight $w$ between 0 and 1:
#
# $$\hat{\mu} = w\, \mu_S + (1 - w)\, \bar{x}, \qquad \hat{\mu} - \mu_T = w\, \delta + (1 - w)(\bar{x} - \mu_T).$$
#
# The first term is a fixed error that more weighings do not shrink. The second is noise, with mean 0 and variance $(1 - w)^2 \sigma^2 / n$. Square and average; the cross term vanishes, since the noise has mean 0:
#
# $$E(w) = w^2 \delta^2 + (1 - w)^2 \frac{\sigma^2}{n}.$$
#
# **The step that matters.** Set the derivative $2 w \delta^2 - 2 (1 - w) \sigma^2 / n$ to zero:
#
# $$w^* = \frac{\sigma^2 / n}{\delta^2 + \sigma^2 / n}.$$
#
# - $\delta^2 \ll \sigma^2 / n$ (little data and a near source): $w^*$ is near 1. Trust the source; transfer helps most **here**.
# - $\delta^2 \gg \sigma^2 / n$ (a lot of data, or a distant source): $w^*$ is near 0, and transfer gains almost nothing.
# - $\delta^2 > \sigma^2 / n$: the source alone ($w = 1$) is already **worse than no transfer** ($w = 0$). A source that makes the result worse than your own data alone is called *negative transfer*.
#
# In a network, $\mu_S$ stands for the pretrained weights, $\bar{x}$ for what your few examples say, and $w$ for how firmly you hold on: frozen features keep the weights as they are ($w = 1$), training from scratch ignores them ($w = 0$), fine-tuning lies in between.
# %% [markdown] lang="pl"
# **Kiedy to pomaga?** Wszystko widać już na najprostszym przykładzie. Robot waży kubek nowego rodzaju. Wynik jednego ważenia to prawdziwa masa $\mu_T$ plus szum o zerowej średniej i wariancji $\sigma^2$; robot ma $n$ niezależnych wyników, a ich średnia to $\bar{x}$. Zna też
# masę $\mu_S$ kubka innego rodzaju, różną o $\delta = \mu_S - \mu_T$. Łączy obie, nadając źródłu wagę $w$ od 0 do 1:
#
# $$\hat{\mu} = w\, \mu_S + (1 - w)\, \bar{x}, \qquad \hat{\mu} - \mu_T = w\, \delta + (1 - w)(\bar{x} - \mu_T).$$
#
# Pierwszy składnik to stały błąd, którego nie zmniejszą kolejne ważenia. Drugi to szum o zerowej średniej i wariancji $(1 - w)^2 \sigma^2 / n$. Podnieś do kwadratu i uśrednij; wyraz mieszany znika, bo szum ma zerową średnią:
#
# $$E(w) = w^2 \delta^2 + (1 - w)^2 \frac{\sigma^2}{n}.$$
#
# **Najważniejszy krok.** Przyrównaj pochodną $2 w \delta^2 - 2 (1 - w) \sigma^2 / n$ do zera:
#
# $$w^* = \frac{\sigma^2 / n}{\delta^2 + \sigma^2 / n}.$$
#
# - $\delta^2 \ll \sigma^2 / n$ (mało danych i bliskie źródło): $w^*$ jest bliskie 1. Zaufaj źródłu; **tutaj** transfer pomaga najbardziej.
# - $\delta^2 \gg \sigma^2 / n$ (dużo danych lub odległe źródło): $w^*$ jest bliskie 0 i transfer prawie nic nie daje.
# - $\delta^2 > \sigma^2 / n$: samo źródło ($w = 1$) jest już **gorsze niż brak transferu** ($w = 0$). Gdy źródło pogarsza wynik w porównaniu z samymi własnymi danymi, mówimy o *transferze negatywnym* (transfer negatywny, ang. *negative transfer*).
#
# W sieci $\mu_S$ odpowiada wagom wstępnie wytrenowanym, $\bar{x}$ temu, co mówią twoje nieliczne przykłady, a $w$ temu, jak mocno trzymasz się źródła: zamrożone cechy zachowują wagi bez zmian ($w = 1$), trening od zera je pomija ($w = 0$), a dostrajanie leży pomiędzy.

# %% [markdown] lang="en"
# ## Explore: how far to trust the source
#
# Move both sliders. The blue dot marks the minimum. When is it near the right end, and when near the left? Find a setting where the red dot lies above the orange one: that is negative transfer. The noise has $\sigma = 10$ grams.
# %% [markdown] lang="pl"
# ## Zbadaj: na ile zaufać źródłu
#
# Przesuwaj oba suwaki. Niebieski punkt to minimum. Kiedy leży przy prawym końcu, a kiedy przy lewym? Znajdź ustawienie, w którym czerwony punkt jest wyżej od pomarańczowego: to transfer negatywny. Szum ma $\sigma = 10$ gramów.

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
    ax.set(xlabel=t("weight of the source, $w$", "waga źródła, $w$"), ylabel=t("expected squared error (g²)", "oczekiwany błąd (g²)"), ylim=(0, 110))
    ax.legend(loc="upper center")
    return fig, t(f"The best weight of the source is {best:.2f}.", f"Najlepsza waga źródła to {best:.2f}.".replace("0.", "0,"))


sliders = {"n": t("own weighings, n", "własne ważenia, n"), "delta": t("difference, δ (g)", "różnica, δ (g)")}
explorer = explore(draw, n=[1, 2, 3, 5, 10, 20, 50], delta=(0, 10, 1), labels=sliders)
explorer.controls["n"].value, explorer.controls["delta"].value = 5, 4
explorer

# %% [markdown] lang="en"
# ## When it fails
#
# Do not take the formula on trust: test it. We simulate $n = 5$ weighings and one estimate, ten thousand times, with a near source ($\delta = 2$ g) and with a distant one ($\delta = 9$ g).
# %% [markdown] lang="pl"
# ## Kiedy to zawodzi
#
# Nie wierz wzorowi na słowo: sprawdź. Symulujemy dziesięć tysięcy razy $n = 5$ ważeń i jedno oszacowanie, najpierw ze źródłem bliskim ($\delta = 2$ g), potem z odległym ($\delta = 9$ g).

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
# The near source alone is far better than the robot's own five weighings. The distant one alone is far **worse**: here knowledge harms. The best mixture beats both, in both cases. But to compute $w^*$ we used $\delta$, which a real robot does not know.
# Much of this course is about finding the mixture without knowing it.
# %% [markdown] lang="pl"
# Samo bliskie źródło jest o wiele lepsze niż pięć własnych ważeń robota. Samo odległe jest o wiele **gorsze**: tu wiedza szkodzi. Najlepsza mieszanka wygrywa z jednym i z drugim, w obu przypadkach. Ale do obliczenia $w^*$ potrzebowaliśmy $\delta$, którego prawdziwy robot nie zna.
# O tym, jak znaleźć mieszankę, nie znając go, jest duża część tego kursu.

# %% [markdown] lang="en"
# ## In robotics
#
# Four problems run through the course:
#
# - **object recognition**: a network trained on photographs of everyday things has to inspect circuit boards,
# - **navigation**: a robot that learned to find its way in one building has to find it in another,
# - **control**: an arm steered or a pole balanced in simulation meets real friction and delay,
# - **adaptive learning**: tools wear and light changes; the robot has to follow without forgetting what it knew.
# %% [markdown] lang="pl"
# ## W robotyce
#
# Przez cały kurs towarzyszą ci cztery problemy:
#
# - **rozpoznawanie obiektów**: sieć wytrenowana na fotografiach przedmiotów codziennego użytku ma kontrolować płytki drukowane,
# - **nawigacja**: robot, który nauczył się poruszać po jednym budynku, ma sobie poradzić w innym,
# - **sterowanie**: ramię lub wahadło sterowane dotąd w symulacji napotyka prawdziwe tarcie i opóźnienia,
# - **uczenie adaptacyjne**: narzędzia się zużywają, światło się zmienia; robot ma za tym nadążać i nie zapominać tego, co już umie.

# %% [markdown] lang="en"
# ## The map of the course
# %% [markdown] lang="pl"
# ## Mapa kursu

# %%
course_map()

# %% [markdown] lang="en"
# **On your own**: take the lessons in order, or follow the “You need” line of the one that interests you. Commit to a guess before each experiment; do the exercises before you unfold their solutions. Allow one evening per lesson, with its exercises.
#
# **In class**: a lesson fills about 45 minutes of lecture, with the cells run live, and an exercise class of the same length. Let the students vote on the predictions. Everything runs on a laptop without internet; figures and text of a lesson can be read without running anything.
# %% [markdown] lang="pl"
# **Samodzielnie**: przerabiaj lekcje po kolei albo kieruj się wierszem „Co trzeba umieć” w tej, która cię interesuje. Zgaduj przed każdym eksperymentem; rób ćwiczenia, zanim zajrzysz do rozwiązań. Na jedną lekcję z ćwiczeniami przeznacz wieczór.
#
# **Na zajęciach**: lekcja wypełnia około 45 minut wykładu z komórkami uruchamianymi na żywo i drugie tyle ćwiczeń. Niech studenci głosują, co wyjdzie. Wszystko działa na laptopie bez dostępu do internetu; wykresy i tekst można czytać, niczego nie uruchamiając.

# %% [markdown] lang="en"
# ## Exercises
#
# **1. A source that is noisy, too.** So far the robot knew $\mu_S$ exactly. Now $\mu_S$ is itself only the mean of `m` weighings of the other cup, with the same noise, independent of the robot's own. Write the expected squared error of the mixture, for the weight `w`, `n` own weighings, the
# true difference `delta` and the standard deviation `sigma`.
# %% [markdown] lang="pl"
# ## Ćwiczenia
#
# **1. Źródło też z szumem.** Do tej pory robot znał $\mu_S$ dokładnie. Teraz $\mu_S$ to tylko średnia z `m` ważeń tamtego kubka, z tym samym szumem, niezależnym od własnych ważeń robota. Zapisz oczekiwany błąd kwadratowy mieszanki dla wagi `w`, `n` własnych ważeń, prawdziwej
# różnicy `delta` i odchylenia standardowego `sigma`.

# %% tags=["exercise"]
def mixture_error(w, n, m, delta, sigma):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# The error is now $w \delta$ plus two independent noises, one of the source and one of your own data. The variances of independent noises add; the mean of `m` weighings has variance $\sigma^2 / m$.
# %% [markdown] lang="pl" tags=["hint"]
# Błąd to teraz $w \delta$ plus dwa niezależne szumy: źródła i własnych danych. Wariancje niezależnych szumów się dodają; średnia z `m` ważeń ma wariancję $\sigma^2 / m$.

# %% tags=["check"]
check("mixture_error", mixture_error)


# %% tags=["solution"]
def mixture_error(w, n, m, delta, sigma):
    return w**2 * (delta**2 + sigma**2 / m) + (1 - w) ** 2 * sigma**2 / n


# %% [markdown] lang="en"
# **2. The break-even point.** The source is known exactly again and differs by `delta` (not 0). From how many weighings on is the source alone *worse* than your own data alone? Return the smallest such whole number.
# %% [markdown] lang="pl"
# **2. Próg opłacalności.** Źródło jest znów znane dokładnie i różni się o `delta` (nie 0). Od ilu ważeń samo źródło jest *gorsze* niż same własne dane? Zwróć najmniejszą taką liczbę całkowitą.

# %% tags=["exercise"]
import math


def break_even(delta, sigma):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# Negative transfer begins where $\delta^2 > \sigma^2 / n$. Solve it for $n$; the smallest whole number above that bound is `math.floor(...) + 1`.
# %% [markdown] lang="pl" tags=["hint"]
# Transfer negatywny zaczyna się tam, gdzie $\delta^2 > \sigma^2 / n$. Wyznacz z tego granicę dla $n$; najmniejsza liczba całkowita większa od niej to `math.floor(...) + 1`.

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
        t("With $\\sigma = 10$ g, $n = 4$ and $\\delta = 5$ g, what is the best weight of the source?",
          "Przy $\\sigma = 10$ g, $n = 4$ i $\\delta = 5$ g, jaka jest najlepsza waga źródła?"),
        [
            (t("Zero.", "Zero."), False, t("A source this near still helps.", "Tak bliskie źródło jeszcze pomaga.")),
            (t("One half.", "Jedna druga."), True,
             t("Yes: $\\sigma^2 / n = 25 = \\delta^2$, both are equally good.", "Tak: $\\sigma^2 / n = 25 = \\delta^2$, oba są równie dobre.")),
            (t("One.", "Jeden."), False, t("Only if $\\delta = 0$.", "Tylko gdy $\\delta = 0$.")),
        ],
    ),
    Quiz(
        t("The same defects are photographed by a new camera with darker images. What differs between source and target?",
          "Te same wady fotografuje nowa kamera, która daje ciemniejszy obraz. Czym różnią się źródło i cel?"),
        [
            (t("The distribution of the inputs, $P(X)$.", "Rozkład danych wejściowych, $P(X)$."), True,
             t("Yes: the images look different, their labels mean the same.", "Tak: obrazy wyglądają inaczej, a etykiety znaczą to samo.")),
            (t("The space of labels, $\\mathcal{Y}$.", "Przestrzeń etykiet, $\\mathcal{Y}$."), False,
             t("The defects, and so their labels, are the same.", "Wady, a więc i etykiety, są te same.")),
            (t("Nothing, since both are photographs of boards.", "Nic, bo to i to są fotografie płytek."), False,
             t("Darker images are a domain shift, under which a network may fail; lessons 06 and 07 are about it.",
               "Ciemniejsze obrazy to przesunięcie domeny, przy którym sieć może zawieść; o tym są lekcje 06 i 07.")),
        ],
    ),
    Quiz(
        t("You have plenty of target data, and a distant source. What does the formula say?",
          "Masz mnóstwo danych docelowych i bardzo odmienne źródło. Co mówi wzór?"),
        [
            (t("Transfer as much as possible.", "Przenieś jak najwięcej."), False,
             t("Then the error $\\delta^2$ of the source would dominate.", "Wtedy przeważyłby błąd źródła $\\delta^2$.")),
            (t("It depends on how the network is built.", "To zależy od budowy sieci."), False,
             t("The formula knows nothing of networks: only $n$, $\\sigma$ and $\\delta$ count.", "Wzór nic nie wie o sieciach: liczą się tylko $n$, $\\sigma$ i $\\delta$.")),
            (t("The best weight of the source is close to 0.", "Najlepsza waga źródła jest bliska 0."), True,
             t("Yes: $w^*$ falls with $n$ and with $\\delta^2$.", "Tak: $w^*$ maleje, gdy rośnie $n$ lub $\\delta^2$.")),
        ],
    ),
)

# %% [markdown] lang="en"
# ## What we saw
#
# - One cell transferred the eyes of a network from dogs and boats to circuit boards.
# - A domain is inputs and their distribution, a task is labels and how they depend on inputs; what differs tells which lesson to open.
# - Transfer helps with little data and a near source; with a distant source it can harm.
# - The best weight balances the two; too much trust in the source is negative transfer.
#
# Check these statements against the numbers of your own run:
# %% [markdown] lang="pl"
# ## Podsumowanie
#
# - Wystarczyła jedna komórka kodu, żeby sieć znająca psy i łodzie zaczęła rozpoznawać wady płytek drukowanych.
# - Domena to dane wejściowe i ich rozkład, zadanie to etykiety i to, jak zależą od danych wejściowych; to, co się różni, podpowiada, którą lekcję otworzyć.
# - Transfer pomaga, gdy danych jest mało, a źródło jest bliskie; odległe może zaszkodzić.
# - Najlepsza waga równoważy jedno i drugie; zbyt duże zaufanie do źródła to transfer negatywny.
#
# Sprawdź te stwierdzenia na liczbach z własnego uruchomienia:

# %% tags=["claim"]
gain = np.array(by_features) - np.maximum(by_pixels, by_untrained)
claim(t("With twenty labels, the mean lead of the pretrained network over the better rival",
        "Przy dwudziestu etykietach średnia przewaga sieci wstępnie wytrenowanej nad lepszym rywalem"),
      gain.mean(), at_least=0.12)
claim(t("Draws out of ten in which it wins",
        "Liczba wygranych losowań na dziesięć"),
      (gain > 0).sum(), at_least=8)
claim(t("The near source alone beats the robot's own data by",
        "Samo bliskie źródło wygrywa z własnymi danymi robota o"),
      simulated[2, 0] - simulated[2, 1], at_least=10, unit="g²")
claim(t("The distant source alone loses to them by",
        "Samo odległe źródło przegrywa z nimi o"),
      simulated[9, 1] - simulated[9, 0], at_least=40, unit="g²")

# %% [markdown] lang="en"
# ## Where to go next
#
# - [Lesson 01, feature extraction](01_feature_extraction.ipynb)
# - Pan and Yang 2010, *A Survey on Transfer Learning*, [doi 10.1109/TKDE.2009.191](https://doi.org/10.1109/TKDE.2009.191)
# - Ruder 2017, *Transfer Learning – Machine Learning's Next Frontier*, [ruder.io](https://ruder.io/transfer-learning/)
# - Wang et al. 2019, *Characterizing and Avoiding Negative Transfer*, [arXiv 1811.09751](https://arxiv.org/abs/1811.09751)
#
# ## Glossary
#
# Every term of the course, in both languages, with the number of the lesson that explains it.
# %% [markdown] lang="pl"
# ## Co dalej
#
# - [Lekcja 01, ekstrakcja cech](01_feature_extraction.ipynb)
# - S. J. Pan i Q. Yang 2010, *A Survey on Transfer Learning*, [doi 10.1109/TKDE.2009.191](https://doi.org/10.1109/TKDE.2009.191)
# - Ruder 2017, *Transfer Learning – Machine Learning's Next Frontier*, [ruder.io](https://ruder.io/transfer-learning/)
# - Wang i in. 2019, *Characterizing and Avoiding Negative Transfer*, [arXiv 1811.09751](https://arxiv.org/abs/1811.09751)
#
# ## Słowniczek
#
# Wszystkie terminy kursu w obu językach, z numerem lekcji, która je wyjaśnia.

# %%
Markdown(as_markdown(current_language()))
