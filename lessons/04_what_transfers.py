# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   tlcourse:
#     title: {en: What transfers, pl: Co się przenosi}
#     minutes: 55
#     seconds: 48
#     prerequisites: ["02_fine_tuning"]
# ---

# %% [markdown] lang="en"
# # What transfers
#
# Some sources help, some do nothing, some do harm. Which layers carry what helps, and can you tell a good source before you train on the target?
#
# **After this lesson you will be able to**
#
# - measure, layer by layer, how general a network's features are, with the controls that make the answer honest,
# - compare the layers of two networks by CKA, and say when that number misleads,
# - define negative transfer, show a source that causes it, and cure it,
# - rank sources before training by a transferability score, and say how far to trust the ranking.
#
# **You need**: [lesson 02](02_fine_tuning.ipynb), the trace of a matrix, conditional probability. **Time**: about 55 minutes; the code runs in under
# a minute. New words are explained in the glossary of [lesson 00](00_start.ipynb).
# %% [markdown] lang="pl"
# # Co się przenosi
#
# Jedne źródła pomagają, inne nic nie dają, a jeszcze inne szkodzą. Które warstwy niosą to, co pomaga, i czy dobre źródło da się rozpoznać, zanim zaczniesz trening na zadaniu docelowym?
#
# **Po tej lekcji będziesz umieć**
#
# - zmierzyć warstwa po warstwie, jak ogólne są cechy sieci, z próbami kontrolnymi, bez których odpowiedź nie byłaby uczciwa,
# - porównać warstwy dwóch sieci miarą CKA i powiedzieć, kiedy ta liczba wprowadza w błąd,
# - zdefiniować transfer negatywny (ang. *negative transfer*), pokazać źródło, które go wywołuje, i temu zaradzić,
# - uszeregować źródła przed treningiem za pomocą oceny przenoszalności (ang. *transferability score*) i powiedzieć, na ile ufać temu uszeregowaniu.
#
# **Co trzeba umieć**: [lekcja 02](02_fine_tuning.ipynb), ślad macierzy, prawdopodobieństwo warunkowe. **Czas**: około 55 minut; kod wykonuje się
# niecałą minutę. Nowe słowa wyjaśnia słowniczek w [lekcji 00](00_start.ipynb).

# %% tags=["setup"]
from tlcourse.classroom import start_lesson, t

start_lesson("04_what_transfers", lang="en")

# %% tags=["imports"]
import time

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from scipy.stats import spearmanr

from tlcourse.backbones import load_backbone
from tlcourse.classroom import (
    Prediction, Quiz, band, check, claim, explore, heat_map, image_grid, palette, quiz, show, show_source, table,
)
from tlcourse.data.digits import load_mnist, load_uci_digits
from tlcourse.data.gratings import gratings
from tlcourse.data.photos import PHOTOS, photo_crops
from tlcourse.layer_surgery import transplant
from tlcourse.networks import digit_network, group_outputs
from tlcourse.similarity import cka_matrix, linear_cka
from tlcourse.training import evaluate, fit, predict
from tlcourse.transferability import h_score, leep, log_me

SEED = 0

# %% [markdown] lang="en"
# ## The idea
#
# A surgeon moves to another country. Her hands need no new training: cutting and sewing are the same everywhere. Her knowledge of illnesses serves her well. But the forms, the abbreviations, the names of the drugs are those of her old hospital; if she goes on
# using them, she does harm.
#
# It is the same with networks. Their first layers find edges and strokes, which serve any task that has to do with shapes: they are **general**. Their last layers answer the question that was asked in training: they are **specific**. Somewhere in between, general turns into specific. To find out where, operate: take the first layers of a
# trained network, put new ones behind them, train on the new task, and see how well it goes. This is **layer surgery**.
# %% [markdown] lang="pl"
# ## Pomysł
#
# Chirurżka przeprowadza się do innego kraju. Jej ręce nie muszą się uczyć od nowa: tnie się i szyje wszędzie tak samo. Jej wiedza o chorobach też się przyda. Ale formularze, skróty i nazwy leków zna z poprzedniego szpitala; jeśli dalej będzie ich
# używać, zaszkodzi.
#
# Z sieciami jest podobnie. Ich pierwsze warstwy (ang. *layers*) wykrywają krawędzie i kreski, które służą każdemu zadaniu, w którym liczą się kształty: są **ogólne**. Ostatnie odpowiadają na pytanie zadane w treningu: są **wyspecjalizowane**. Gdzieś pośrodku jedno przechodzi w drugie. Żeby się dowiedzieć gdzie, zoperuj sieć: weź pierwsze warstwy
# wytrenowanej sieci, dołącz za nimi nowe, wytrenuj na nowym zadaniu i zobacz, jak poszło. To **przeszczepianie warstw** (ang. *layer surgery*).

# %% [markdown] lang="en"
# ## The mathematics
#
# Write a network with $L$ layer groups as $f = f_L \circ \dots \circ f_1$: the group $f_1$ comes first. Let $s_1, \dots, s_L$ be the groups of a network that was trained on the source task, and $f_{k+1}, \dots, f_L$ new ones, with random weights. The operated network is
#
# $$f^{(k)} = f_L \circ \dots \circ f_{k+1} \circ s_k \circ \dots \circ s_1 .$$
#
# It is trained on the target task, with $s_1, \dots, s_k$ either **frozen** or **tuned** with the rest. Let $A(k)$ be its test accuracy. $A(0)$ is training from scratch: nothing is transplanted. While $A(k)$, frozen, does not fall with $k$, group $k$ is general for this pair of tasks; where it falls, the groups are specific, or the cut itself has done damage; a control will tell.
#
# **What does the source do for us?** Wang et al. 2019 ([arXiv 1811.09751](https://arxiv.org/abs/1811.09751)) compare the same learning algorithm with and without the source data. With $\varepsilon$ for the test error on the target they call
#
# $$\mathrm{NTG} = \varepsilon_{\text{with source}} - \varepsilon_{\text{without source}}$$
#
# the *negative transfer gap*; if it is positive, transfer is negative. We shall show the **gain** $-\mathrm{NTG}$, an accuracy minus another one, in percentage points: above zero the source helps, below zero it harms. Note what the definition fixes: the algorithm, the target data, and how long we train. Change one of them, and a source that harmed may help. (Without a source nobody would freeze random layers; so our baseline is training *all* layers from scratch, for frozen groups, too.)
# %% [markdown] lang="pl"
# ## Matematyka
#
# Zapisz sieć o $L$ grupach warstw jako $f = f_L \circ \dots \circ f_1$: grupa $f_1$ jest pierwsza. Niech $s_1, \dots, s_L$ będą grupami sieci wytrenowanej na zadaniu źródłowym, a $f_{k+1}, \dots, f_L$ nowymi grupami o losowych wagach. Sieć po operacji to
#
# $$f^{(k)} = f_L \circ \dots \circ f_{k+1} \circ s_k \circ \dots \circ s_1 .$$
#
# Trenujemy ją na zadaniu docelowym; grupy $s_1, \dots, s_k$ są albo **zamrożone**, albo **dostrajane** razem z resztą. Niech $A(k)$ będzie jej dokładnością testową. $A(0)$ to trening od zera: niczego nie przeszczepiono. Dopóki dla zamrożonych grup $A(k)$ nie spada wraz z $k$, grupa $k$ jest ogólna dla tej pary zadań; tam, gdzie spada, grupy są już wyspecjalizowane albo zaszkodziło samo cięcie; rozstrzygnie próba kontrolna.
#
# **Co daje nam źródło?** Wang i in. 2019 ([arXiv 1811.09751](https://arxiv.org/abs/1811.09751)) porównują ten sam algorytm uczenia z danymi źródłowymi i bez nich. Oznaczając przez $\varepsilon$ błąd testowy na zadaniu docelowym, liczbę
#
# $$\mathrm{NTG} = \varepsilon_{\text{ze źródłem}} - \varepsilon_{\text{bez źródła}}$$
#
# nazywają *negative transfer gap*, czyli luką transferu negatywnego; jeśli jest dodatnia, transfer jest negatywny. Będziemy pokazywać **zysk** $-\mathrm{NTG}$, czyli różnicę dwóch dokładności w punktach procentowych: powyżej zera źródło pomaga, poniżej szkodzi. Zwróć uwagę, co w tym porównaniu musi pozostać takie samo: algorytm, dane docelowe i długość treningu. Zmień którąś z tych rzeczy, a źródło, które szkodziło, może pomóc. (Bez źródła nikt nie zamrażałby losowych warstw; porównujemy więc zawsze z treningiem *wszystkich* warstw od zera, także dla zamrożonych grup.)

# %% [markdown] lang="en"
# ## Before you run: predict
#
# A network has learned to read the digits 0 to 4, from 2,500 images. Now it has to read 5 to 9, and there are **25 labelled images**, five of each digit. We freeze its first $k$ groups, train the others, and compare with training from scratch.
# %% [markdown] lang="pl"
# ## Zanim uruchomisz: zgadnij
#
# Sieć nauczyła się czytać cyfry od 0 do 4 na 2500 obrazach. Teraz ma czytać cyfry od 5 do 9, a mamy **25 obrazów z etykietami**, po pięć na cyfrę. Zamrażamy jej $k$ pierwszych grup, trenujemy pozostałe i porównujemy z treningiem od zera.

# %% tags=["predict"]
guess = Prediction(
    t("The network has three convolutions, two dense layers and a head. How many of the first groups is it best to transplant and freeze?",
      "Sieć ma trzy sploty, dwie warstwy gęste i głowicę. Ile pierwszych grup najlepiej przeszczepić i zamrozić?"),
    choices=[t("only the first", "tylko pierwszą"), t("two or three", "dwie albo trzy"), t("four", "cztery"),
             t("five: all but the head", "pięć: wszystkie oprócz głowicy")],
)
guess

# %% [markdown] lang="en"
# ## The code
#
# The operation itself: copy, check that the groups fit, freeze or not. `freeze` and `LayerGroups` are those of lesson 02, so that frozen batch normalisation does not drift.
# %% [markdown] lang="pl"
# ## Kod
#
# Oto sama operacja: skopiować, sprawdzić, czy grupy do siebie pasują, zamrozić albo nie. `freeze` i `LayerGroups` pochodzą z lekcji 02, więc zamrożona normalizacja wsadowa nie dryfuje.

# %%
show_source(transplant)

# %% [markdown] lang="en"
# ## The experiment
#
# Real handwriting: 5,000 digits of MNIST. The network is small, so that we can train dozens of them: convolutions `conv1`, `conv2`, `conv3`, then `dense1`, `dense2`, and the `head`. We compare four ways of filling the first $k$ groups, from one to all but the head:
#
# - **from 0–4, frozen**: the question of the lesson,
# - **from 0–4, tuned**: they are only a start, and trained with the rest,
# - **random, frozen**: the control for architecture. Perhaps any filters will do?
# - **from 5–9, frozen**: the control for surgery. The groups come from a network trained *on the target's own 25 images*; they fit the task, so where this line falls, it is because cutting has torn apart layers that had grown together. (Yosinski et al., to whom we come in a moment, call it a *selffer*.)
#
# All of them have the same 25 images, which make one batch, the same 30 steps, and new random weights behind the cut. Three runs, each with its own draw of images and its own source network.
# %% [markdown] lang="pl"
# ## Eksperyment
#
# Prawdziwe pismo ręczne: 5000 cyfr z MNIST. Sieć jest mała, żeby dało się wytrenować dziesiątki takich sieci: sploty `conv1`, `conv2`, `conv3`, potem `dense1`, `dense2` i głowica `head`. Porównujemy cztery sposoby wypełnienia pierwszych $k$ grup, od jednej do wszystkich poza głowicą:
#
# - **z 0–4, zamrożone**: o to pyta ta lekcja,
# - **z 0–4, dostrajane**: są tylko punktem startu i trenują się razem z resztą,
# - **losowe, zamrożone**: kontrola architektury. Może wystarczą jakiekolwiek filtry?
# - **z 5–9, zamrożone**: kontrola samej operacji. Grupy pochodzą z sieci trenowanej *na tych samych 25 obrazach docelowych*; pasują więc do zadania, a jeśli ta linia gdzieś spada, to dlatego, że cięcie rozerwało warstwy, które się zrosły. (Yosinski i in., do których zaraz wrócimy, nazywają to *selffer*.)
#
# Wszystkie warianty mają te same 25 obrazów, czyli jedną paczkę, te same 30 kroków i nowe losowe wagi za cięciem. Trzy przebiegi, każdy z własnym losowaniem obrazów i własną siecią źródłową.

# %%
images, labels = load_mnist()
old, new = (images[labels < 5], labels[labels < 5]), (images[labels >= 5], labels[labels >= 5] - 5)


def draw_few(data, per_class, run):
    # en: Some labelled images of each class to train on, and up to 600 others to test on.
    # pl: Po kilka obrazów z każdej klasy do treningu i najwyżej 600 innych do testu.
    x, y = data
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(1000 * SEED + run))
    few = torch.cat([order[y[order] == label][:per_class] for label in y.unique()])
    test = order[~torch.isin(order, few)][:600]
    return (x[few], y[few]), (x[test], y[test])


def fresh(classes, number):
    torch.manual_seed(1000 * SEED + number)
    return digit_network(classes)


def trained(network, data, epochs, frozen=0):
    # en: What the frozen groups make of the images is computed once, the rest is trained on it.
    # pl: Wynik zamrożonych grup liczymy raz, a resztę trenujemy na nim.
    rest, inputs = network[frozen:], predict(network[:frozen], data[0], batch_size=500)
    size = 32 if len(inputs) < 100 else 64
    optimizer = torch.optim.Adam(rest.parameters(), 3e-3, fused=True)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=-(-len(inputs) // size) * epochs)
    fit(rest, (inputs, data[1]), optimizer=optimizer, scheduler=scheduler, epochs=epochs, batch_size=size,
        seed=SEED, progress=False)
    return network


# %%
runs, depths = range(3), range(6)
sources, tests, tuned_all, answers = [], [], [], {}
ways = [t("from 0–4, frozen", "z 0–4, zamrożone"), t("from 0–4, tuned", "z 0–4, dostrajane"),
        t("random, frozen", "losowe, zamrożone"), t("from 5–9, frozen", "z 5–9, zamrożone")]
for run in runs:
    few, test = draw_few(new, 5, run)
    source = trained(fresh(5, 500 + run), old, epochs=2)
    scratch = trained(fresh(5, 10 * run), few, epochs=30)
    for way, donor in zip(ways, (source, source, fresh(5, 900 + run), scratch)):
        answers[way, run, 0] = predict(scratch, test[0], batch_size=500).argmax(1)
        for k in depths[1:]:
            frozen = way != ways[1]
            network = transplant(donor, fresh(5, 10 * run + k), k, frozen=frozen)
            trained(network, few, epochs=30, frozen=k if frozen else 0)
            answers[way, run, k] = predict(network, test[0], batch_size=500).argmax(1)
            if way == ways[1] and k == 5:
                tuned_all.append(network)
    sources.append(source)
    tests.append(test)

# %%
right = {key: (answer == tests[key[1]][1]).float() for key, answer in answers.items()}
accuracy = {way: torch.tensor([[right[way, run, k].mean() for k in depths] for run in runs]) for way in ways}
groups = [name for name, _ in sources[0].named_children()]


def draw_curves(ax):
    for way, colour in zip(ways, ("blue", "green", "grey", "orange")):
        band(ax, depths, accuracy[way], way, colour, marker="o")
    ax.set(xlabel=t("last transplanted group", "ostatnia przeszczepiona grupa"), ylabel=t("test accuracy"), ylim=(0, 1))
    ax.set_xticks(depths, [t("none", "żadna"), *groups[:5]])


fig, ax = plt.subplots(figsize=(7.5, 3.8))
draw_curves(ax)
ax.axhline(0.2, color=palette("black"), linestyle=":", label=t("chance"))
ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
show(fig, alt=t("Accuracy against the last transplanted group: frozen from 0–4 it rises up to conv3, then falls below training from scratch.",
                "Dokładność a ostatnia przeszczepiona grupa: dla zamrożonych z 0–4 rośnie do conv3, a potem spada poniżej treningu od zera."))
frozen, tuned, noise, own = accuracy.values()
guess.compare([0, 1, 1, 2, 3][frozen.mean(0)[1:].argmax()])

# %% [markdown] lang="en"
# Read each line from left to right. Lines are means of three runs, bands their 95 % intervals, wide for so few; but within a run all lines share the same images, so their differences are surer than the bands suggest.
#
# - **Blue**: the convolutions of 0–4 are general. Frozen as they are, they serve 5–9 better than what 25 images alone can teach. After `conv3` the line plunges: the dense layers have learned to tell the digits 0 to 4 apart, and what they threw away on the way is missing now. This is the general-to-specific curve.
# - **Green**: if they may change, even the specific layers are a better start than random weights.
# - **Grey**: one or two random layers cost little, as they only shuffle strokes about; of five, so little of the differences between images reaches the head that in 30 steps it learns hardly anything. So blue's success is not that of the architecture.
# - **Orange** holds at `dense1`, where blue plunges. So it is not the cut: the fall of the blue line is due to the source task. (At the last cut, where in 30 steps a new head alone must find its way in frozen features, it may lose some points, too.)
#
# **What the paper found.** Yosinski et al. 2014 ([arXiv 1411.1792](https://arxiv.org/abs/1411.1792)) took an eight-layer network like AlexNet, trained on one half of ImageNet's classes, cut it, and retrained it for the other half. The general-to-specific curve is theirs, too. Two things differed. Their selffer line *did* fall at the cuts in the middle: layers had grown together (*co-adapted*), and the new ones did not find the way back; ours is shallow, and perhaps therefore the few layers behind the cut simply find the way back. And random
# filters hurt there from the first layer on; ours hold out longer, probably because strokes are simpler than photographs. Their tuned networks beat the ones from scratch by 1.6 points on average (over the cuts), though they had over half a million target images; we gain more with 25, where there is more to gain.
#
# ## What do the layers see?
#
# The first layer can be looked at: its filters are small pictures. First the 32 filters of the pretrained backbone of lesson 01, 3 × 3 pixels, in colour. Then the 16 of our digit network, 5 × 5 pixels, and below each of them what training has *changed* in it since its random start. A filter answers most strongly to a patch of the image that looks like itself. (Each picture is stretched to full contrast, medium grey is 0; the changes are really smaller than the filters.)
# %% [markdown] lang="pl"
# Czytaj każdą linię od lewej do prawej. Linie to średnie z trzech przebiegów, a pasma to ich przedziały ufności 95 %, szerokie, bo przebiegów jest mało. W każdym przebiegu wszystkie linie mają jednak te same obrazy, więc ich różnice są pewniejsze, niż sugerują pasma.
#
# - **Niebieska**: sploty z 0–4 są ogólne. Zamrożone, bez żadnej zmiany, nadają się do czytania 5–9 lepiej niż sploty wyuczone na samych 25 obrazach. Za `conv3` linia gwałtownie spada: warstwy gęste nauczyły się rozróżniać cyfry od 0 do 4, a tego, co po drodze odrzuciły, teraz brakuje. To krzywa przejścia od ogólnego do wyspecjalizowanego.
# - **Zielona**: jeśli mogą się zmieniać, nawet warstwy wyspecjalizowane są lepszym startem niż losowe wagi.
# - **Szara**: jedna albo dwie losowe warstwy niewiele kosztują, bo tylko mieszają kreski; przez pięć takich warstw dociera do głowicy tak mało różnic między obrazami, że w 30 krokach głowica prawie niczego się nie uczy. Sukces niebieskiej linii nie jest więc zasługą samej architektury.
# - **Pomarańczowa** trzyma się przy `dense1`, gdzie niebieska spada. Nie chodzi więc o cięcie: za spadek niebieskiej linii odpowiada zadanie źródłowe. (Przy ostatnim cięciu, gdzie w 30 krokach sama nowa głowica musi się odnaleźć w zamrożonych cechach, ona też może stracić kilka punktów.)
#
# **Co wyszło w artykule.** Yosinski i in. 2014 ([arXiv 1411.1792](https://arxiv.org/abs/1411.1792)) cięli ośmiowarstwową sieć podobną do AlexNet, wytrenowaną na połowie klas ImageNetu, i uczyli ją drugiej połowy. Krzywa przejścia od ogólnego do wyspecjalizowanego to także ich wynik. Dwie rzeczy wyszły tam inaczej niż u nas. Ich linia *selffer* spadała przy cięciach w środku: warstwy się zrosły (ang. *co-adapted*), a nowe nie potrafiły się do nich na powrót dopasować; nasza sieć jest płytka i być może dlatego tym kilku warstwom za cięciem się to udaje. A losowe
# filtry szkodziły tam już od pierwszej warstwy; nasze wytrzymują dłużej, zapewne dlatego, że kreski są prostsze niż fotografie. Ich dostrajane sieci były lepsze od trenowanych od zera średnio (po wszystkich cięciach) o 1,6 punktu, choć miały ponad pół miliona obrazów docelowych; my przy 25 zyskujemy więcej, bo więcej jest do zyskania.
#
# ## Co widzą warstwy?
#
# Pierwszą warstwę można obejrzeć: jej filtry to małe obrazki. Najpierw 32 kolorowe filtry 3 × 3 piksele sieci bazowej (ang. *backbone*), czyli modelu wstępnie wytrenowanego z lekcji 01. Potem 16 filtrów 5 × 5 pikseli naszej sieci od cyfr, a pod każdym to, co trening w nim *zmienił* od losowego startu. Filtr reaguje najsilniej na fragment obrazu, który wygląda tak jak on. (Każdy obrazek ma pełny kontrast, średnia szarość to 0; w rzeczywistości zmiany są mniejsze od samych filtrów.)

# %%
stem, conv1, at_start = load_backbone().groups.stem[1].weight, sources[0].conv1[1].weight, fresh(5, 500).conv1[1].weight
shown = {
    t("Backbone: 32 small filters, light beside dark and patches of colour.", "Sieć bazowa: 32 małe filtry, jasne obok ciemnego i barwne plamy."): stem,
    t("Digits: 16 noisy filters, and below them their changes, smooth blobs and edges.",
      "Cyfry: 16 zaszumionych filtrów, a pod nimi ich zmiany, gładkie plamy i krawędzie."): torch.cat([conv1, conv1 - at_start])}
for alt, filters in shown.items():
    show(image_grid(0.5 + 0.5 * filters / filters.abs().amax((1, 2, 3), keepdim=True), rows=2, size=0.5), alt=alt)

# %% [markdown] lang="en"
# The backbone's filters set light against dark and colour against colour. Those of our network still look like the noise that they started from; but what two epochs have added is smooth: blobs, edges, pieces of strokes. Nothing in either says ImageNet, or 0 to 4.
#
# **Deeper layers** cannot be looked at, but they can be compared. Feed the same $N$ images to two networks, and let $X$ and $Y$ be the features of a layer of the one and a layer of the other, a row for each image, $(N, D_1)$ and $(N, D_2)$; the mean of each column is subtracted. How alike are they? Single features do not correspond: another seed gives other features in another order. But one can compare *which images a layer finds
# alike*: the inner product of rows $i$ and $j$ of $X$ stands in the matrix $K = X X^{\top}$; for $Y$ let it be $M = Y Y^{\top}$. Both are $(N, N)$, whatever $D_1$ and $D_2$. **CKA**, *centered kernel alignment* (Kornblith et al. 2019, [arXiv 1905.00414](https://arxiv.org/abs/1905.00414)), is the cosine of the angle between these two, each read as one long vector:
#
# $$\mathrm{CKA} = \frac{\sum_{ij} K_{ij} M_{ij}}{\lVert K \rVert \, \lVert M \rVert} .$$
#
# **The step that matters.** The numerator is a trace, and a trace allows cyclic exchange:
#
# $$\sum_{ij} K_{ij} M_{ij} = \mathrm{tr}(X X^{\top} Y Y^{\top}) = \mathrm{tr}(Y^{\top} X X^{\top} Y) = \lVert Y^{\top} X \rVert^2 ,$$
#
# where $\lVert \cdot \rVert$ is the root of the sum of all squared entries, and $M = M^{\top}$ was used. $Y^{\top} X$ holds the covariances (times $N$) of each feature of the one layer with each of the other: CKA sums up how they vary together. It lies between 0 and 1. And two things can be read off. Turn the features by an orthogonal matrix $Q$, and $X Q Q^{\top} X^{\top} = K$: nothing changes. Another order of the features, or any rotation of them, is the same layer to CKA; other mixtures are not. But stretch one feature tenfold, and it will dominate $K$: **CKA sees features of large variance first** (a first trap). We compare all groups with all groups, on 500 test images of the digits 5–9, which no network for 0–4 has seen (`debiased=True` is explained below), and take the mean over the three source networks:
# %% [markdown] lang="pl"
# Filtry sieci bazowej przeciwstawiają jasne ciemnemu i kolor kolorowi. Nasze wciąż wyglądają jak szum, od którego zaczęły; ale to, co dodały dwie epoki, jest gładkie: plamy, krawędzie, kawałki kresek. Ani jedne, ani drugie nie zdradzają niczego o ImageNecie ani o cyfrach od 0 do 4.
#
# **Głębszych warstw** nie da się obejrzeć, ale można je porównać. Podaj te same $N$ obrazów dwóm sieciom i niech $X$ oraz $Y$ będą cechami pewnej warstwy jednej i pewnej warstwy drugiej, po jednym wierszu na obraz, o kształtach $(N, D_1)$ i $(N, D_2)$; od każdej kolumny odjęto jej średnią. Jak bardzo są podobne? Pojedyncze cechy sobie nie odpowiadają: inne ziarno daje inne cechy w innej kolejności. Można jednak porównać, *które obrazy warstwa uważa
# za podobne*: iloczyn skalarny wierszy $i$ oraz $j$ macierzy $X$ to element macierzy $K = X X^{\top}$; dla $Y$ jest to $M = Y Y^{\top}$. Obie mają kształt $(N, N)$, niezależnie od $D_1$ i $D_2$. **CKA** (ang. *centered kernel alignment*, zgodność centrowanych jąder; Kornblith i in. 2019, [arXiv 1905.00414](https://arxiv.org/abs/1905.00414)) to cosinus kąta między nimi, gdy każdą czyta się jak jeden długi wektor:
#
# $$\mathrm{CKA} = \frac{\sum_{ij} K_{ij} M_{ij}}{\lVert K \rVert \, \lVert M \rVert} .$$
#
# **Najważniejszy krok.** W liczniku stoi ślad, a pod śladem wolno cyklicznie przestawiać czynniki:
#
# $$\sum_{ij} K_{ij} M_{ij} = \mathrm{tr}(X X^{\top} Y Y^{\top}) = \mathrm{tr}(Y^{\top} X X^{\top} Y) = \lVert Y^{\top} X \rVert^2 ,$$
#
# gdzie $\lVert \cdot \rVert$ to pierwiastek z sumy kwadratów wszystkich elementów, a skorzystaliśmy z $M = M^{\top}$. Elementy $Y^{\top} X$ to kowariancje (razy $N$) każdej cechy jednej warstwy z każdą cechą drugiej: CKA podsumowuje, jak zmieniają się razem. Leży między 0 a 1. Widać stąd dwie rzeczy. Obróć cechy macierzą ortogonalną $Q$, a $X Q Q^{\top} X^{\top} = K$: nic się nie zmienia. Inna kolejność cech, odbicie albo obrót to dla CKA ta sama warstwa, ale już nie dowolna ich mieszanka. Jeśli natomiast rozciągniesz jedną cechę dziesięciokrotnie, zdominuje ona $K$: **CKA widzi przede wszystkim cechy o dużej wariancji** (pierwsza pułapka). Porównujemy wszystkie grupy ze wszystkimi na 500 obrazach testowych cyfr 5–9, których żadna sieć od 0–4 nie widziała (`debiased=True` wyjaśnimy niżej), i uśredniamy po trzech sieciach źródłowych:

# %%
looked_at = tests[0][0][:500]
others = {t("the same network, tuned on 5–9", "ta sama sieć, dostrojona na 5–9"): tuned_all,
          t("another seed, trained on 0–4", "sieć z innego ziarna, też z 0–4"): sources[1:] + sources[:1],
          t("untrained", "sieć niewytrenowana"): [fresh(5, 990 + run) for run in runs]}
seen = [group_outputs(source, looked_at) for source in sources]
similarity = {name: sum(cka_matrix(one, group_outputs(other, looked_at), debiased=True) for one, other in zip(seen, networks)) / len(seen)
              for name, networks in others.items()}

# %%
fig, axes = plt.subplots(1, 3, figsize=(11.5, 4), sharey=True)
for ax, (name, matrix) in zip(axes, similarity.items()):
    heat_map(ax, matrix, groups, groups, form="{:.2f}", vmin=0, vmax=1)
    ax.set_title(name, fontsize=11)
axes[0].set_ylabel(t("network trained on 0–4", "sieć wytrenowana na 0–4"))
show(fig, alt=t("Three heat maps of CKA between the groups of the source network and those of a tuned one, of another seed, of an untrained one.",
                "Trzy mapy CKA między grupami sieci źródłowej a grupami sieci dostrojonej, sieci z innego ziarna i niewytrenowanej."))

# %%
torch.manual_seed(SEED)
rows = []
for n in (50, 200, 1000):
    one, two = torch.randn(2, n, 500)
    rows.append((n, linear_cka(one, two), linear_cka(one, two, debiased=True)))
table(rows, [t("examples", "przykłady"), "CKA", t("debiased", "bez obciążenia")],
      caption=t("Two layers of 500 features that are pure noise", "Dwie warstwy po 500 cech, które są czystym szumem"))

# %% [markdown] lang="en"
# Look at the diagonals, where a group meets its counterpart. In the first map fine-tuning has left the convolutions nearly as they were and changed the dense layers: the very layers that the surgery found to be specific. The second map says how to judge such numbers. Two networks that share nothing but the task and its images agree everywhere, and in the dense layers *better than the tuned network agrees with its own past*: what these layers look like is decided by the question, not by the history. And the third says that even an untrained first layer resembles a trained one (you have seen how little training changed its filters): both
# see the same images, and CKA cannot tell whether a layer is *good*, only which images it finds alike.
#
# **A second trap.** With fewer examples than features every pair of layers looks alike, even pure noise. For two layers of $D$ independent features each, CKA is about $D / (N + D)$. The remedy is an estimate without this bias (`debiased=True`; Nguyen et al. 2021, [arXiv 2010.15327](https://arxiv.org/abs/2010.15327)), which the maps above use. The table shows both numbers for pure noise, where 0 would be right.
#
# ## When it fails: negative transfer
#
# So far the source has helped. Here are seven sources (the same network learns each) and three target tasks with few labels:
#
# - the **digits 0–4**, and three variations: **upside down**, **shuffled pixels** (one fixed permutation for all images), **random labels**,
# - **ink**: the same images of 0–4, but another question: sorted by how much ink they use, in which fifth is this one?
# - **gratings**: stripes at one of eight angles; which one?
# - **photographs**: small grey pieces of fourteen photographs; from which one does it come?
#
# The targets: the **digits 5–9** (25 labels), **UCI** 5–9, other people's digits from another collection (15 labels), and **textures**: brick, grass or gravel (24 labels). Three of the fourteen photographs show these; the source's pieces come from their left halves, the target's from the right.
#
# Each source is transplanted in three ways: all five groups before the head, **tuned**; the three convolutions, **frozen**; all five groups, **frozen**. Training from scratch gets the same images and just as many steps. Everything is run twice; in each run the baseline is the mean of three networks, because from scratch the random start matters most.
# %% [markdown] lang="pl"
# Popatrz na przekątne, gdzie każda grupa spotyka swój odpowiednik. Na pierwszej mapie dostrajanie zostawiło sploty prawie bez zmian, a zmieniło warstwy gęste: właśnie te, które przeszczepianie wskazało jako wyspecjalizowane. Druga mapa mówi, jak oceniać takie liczby. Dwie sieci, które łączy tylko zadanie i jego obrazy, są zgodne wszędzie, a w warstwach gęstych *bardziej niż dostrojona sieć z własną przeszłością*: o tym, jak te warstwy wyglądają, decyduje pytanie, a nie historia. A z trzeciej wynika, że nawet niewytrenowana pierwsza warstwa przypomina wytrenowaną (wiesz już, jak mało trening zmienił jej filtry): obie
# widzą te same obrazy, a CKA nie wie, czy warstwa jest *dobra*; wie tylko, które obrazy uważa ona za podobne.
#
# **Druga pułapka.** Gdy przykładów jest mniej niż cech, każde dwie warstwy wyglądają na podobne, nawet czysty szum. Dla dwóch warstw po $D$ niezależnych cech CKA wynosi mniej więcej $D / (N + D)$. Lekarstwem jest oszacowanie wolne od tego obciążenia (`debiased=True`; Nguyen i in. 2021, [arXiv 2010.15327](https://arxiv.org/abs/2010.15327)); używają go mapy powyżej. Tabela pokazuje obie liczby dla czystego szumu, gdzie właściwą odpowiedzią byłoby 0.
#
# ## Kiedy to zawodzi: transfer negatywny
#
# Do tej pory źródło pomagało. Oto siedem źródeł (na każdym trenujemy taką samą sieć) i trzy zadania docelowe z nielicznymi etykietami:
#
# - **cyfry 0–4** i trzy ich odmiany: **do góry nogami**, **przestawione piksele** (jedna permutacja dla wszystkich obrazów), **losowe etykiety**,
# - **atrament**: te same obrazy cyfr 0–4, ale inne pytanie: gdyby ustawić je od najmniejszej ilości atramentu do największej i podzielić na pięć równych części, w której byłby dany obraz?
# - **prążki**: paski pod jednym z ośmiu kątów; pod którym?
# - **fotografie**: małe szare wycinki czternastu fotografii; z której pochodzi wycinek?
#
# Cele: **cyfry 5–9** (25 etykiet), **UCI** 5–9, czyli cyfry innych osób z innego zbioru (15 etykiet), oraz **tekstury**: cegła, trawa czy żwir (24 etykiety). Trzy z czternastu fotografii pokazują właśnie je; wycinki źródłowe pochodzą z ich lewych połówek, docelowe z prawych.
#
# Każde źródło przeszczepiamy na trzy sposoby: wszystkie pięć grup przed głowicą, **dostrajane**; trzy sploty, **zamrożone**; wszystkie pięć grup, **zamrożone**. Trening od zera ma te same obrazy i tyle samo kroków. Wszystko powtarzamy w dwóch przebiegach, a ponieważ trening od zera silnie zależy od losowego startu, w każdym uśredniamy trzy takie sieci.

# %%
digits, digit_labels = old
# en: The rank of each image by its ink, cut into fifths.
# pl: Miejsce obrazu w rankingu według atramentu, podzielonym na pięć części.
ink = digits.flatten(1).float().mean(1).argsort().argsort() * 5 // len(digits)


def grey_pieces(half):
    pieces, where_from = photo_crops(100, half=half, size=28, seed=SEED)
    return pieces.float().mean(1, keepdim=True).to(torch.uint8), where_from


def source_tasks(run):
    generator = torch.Generator().manual_seed(1000 * SEED + run)
    pixels, any_labels = (torch.randperm(784, generator=generator), torch.randint(5, digit_labels.shape, generator=generator))
    return {
        t("digits 0–4", "cyfry 0–4"): (digits, digit_labels),
        t("upside down", "do góry nogami"): (digits.flip(2), digit_labels),
        t("shuffled pixels", "przestawione piksele"): (digits.flatten(1)[:, pixels].view_as(digits), digit_labels),
        t("random labels", "losowe etykiety"): (digits, any_labels),
        t("ink", "atrament"): (digits, ink),
        t("gratings", "prążki"): gratings(2500, seed=1000 * SEED + run),
        t("photographs", "fotografie"): photographs,
    }


# %%
photographs = grey_pieces("left")
tasks = source_tasks(0)
rows = torch.cat([data[0][torch.arange(10) * 251 % len(data[0])] for data in tasks.values()])
show(image_grid(rows, rows=7, row_names=list(tasks), size=0.5), alt=t(
    "Ten images of each source: digits, digits upside down, scattered pixels, digits twice, stripes, pieces of photographs.",
    "Po dziesięć obrazów z każdego źródła: cyfry, odwrócone cyfry, rozrzucone piksele, dwa razy cyfry, paski, wycinki fotografii."))

# %%
uci_images, uci_labels = load_uci_digits()
uci = uci_images[uci_labels >= 5], uci_labels[uci_labels >= 5] - 5
pieces, where_from = grey_pieces("right")
surfaces = [PHOTOS.index(name) for name in ("brick", "grass", "gravel")]
textures = (torch.cat([pieces[where_from == surface] for surface in surfaces]), torch.arange(3).repeat_interleave(100))

# en: The data, the labelled images of each class, and the epochs.
# pl: Dane, liczba obrazów z etykietą na klasę, liczba epok.
targets = {t("digits 5–9", "cyfry 5–9"): (new, 5, 30), "UCI": (uci, 3, 30), t("textures", "tekstury"): (textures, 8, 30)}

# %% tags=["predict"]
harmful = Prediction(t("Which source will harm the digits 5–9 most, when all groups but the head are transplanted and frozen?",
                       "Które źródło najbardziej zaszkodzi cyfrom 5–9, gdy przeszczepimy i zamrozimy wszystkie grupy poza głowicą?"),
                     choices=list(tasks)[1:])
harmful

# %%
gain, donors, settings, training = torch.zeros(2, 7, 3, 3), {}, {}, 0.0
for run in range(2):
    for i, data in enumerate(source_tasks(run).values()):
        epochs = max(1, round(5000 / len(data[0])))
        donors[run, i] = trained(fresh(int(data[1].max()) + 1, 500 + run), data, epochs) if i else sources[run]
    begin = time.perf_counter()
    for j, (data, per_class, epochs) in enumerate(targets.values()):
        few, test = settings[run, j] = draw_few(data, per_class, run)
        untrained = [fresh(len(few[1].unique()), 100 + 10 * run + luck) for luck in range(3)]
        for i in range(7):
            for mode, (k, frozen) in enumerate([(5, 0), (3, 3), (5, 5)]):
                network = transplant(donors[run, i], untrained[0], k, frozen=bool(frozen))
                gain[run, i, j, mode] = 100 * evaluate(trained(network, few, epochs, frozen), test, batch_size=500)["accuracy"]
        scratch = [evaluate(trained(network, few, epochs), test, batch_size=500)["accuracy"] for network in untrained]
        gain[run, :, j] -= 100 * sum(scratch) / 3
    training += time.perf_counter() - begin
mean_gain = gain.mean(0)

# %%
modes = (t("five groups, tuned", "pięć grup, dostrajane"), t("three groups, frozen", "trzy grupy, zamrożone"), t("five groups, frozen", "pięć grup, zamrożone"))
fig, axes = plt.subplots(1, 3, figsize=(10.5, 3.9), sharey=True)
for ax, mode, values in zip(axes, modes, mean_gain.unbind(-1)):
    heat_map(ax, values, list(tasks), list(targets), form="{:+.0f}", cmap="RdBu", vmin=-40, vmax=40)
    ax.set(title=mode, xlabel=t("target"))
show(fig, alt=t("Gain over training from scratch in points for seven sources and three targets; ink, frozen, is deep red for both digit tasks.",
                "Zysk wobec treningu od zera w punktach dla siedmiu źródeł i trzech celów; zamrożony atrament jest ciemnoczerwony dla obu zadań z cyframi."))
harmful.compare(mean_gain[1:, 0, 2].argmin().item())

# %% [markdown] lang="en"
# Blue helps, red harms; read it by rows, by columns, and from panel to panel.
#
# - **By columns.** The best source is the one whose question and images are nearest to the target's: the digits 0–4 for the digits 5–9, the photographs (which know these three surfaces) for the textures.
# - **Ink** is the villain. It has seen the very same images as the digits 0–4, and learned its own task. And yet its features, frozen (right), are a disaster for the digits: to measure ink, one can *ignore* the shape, and its dense layers have learned to. Tuned (left), it remains a worse start than the digits 0–4. So not the images harm; the question does.
# - **Digits for textures** (middle): three convolutions that have seen only bright lines on black cost the textures many points, as they must not change. The photographs' convolutions cost them nothing. A first half can be too specific, too, if the *images* are too far away.
# - **Frozen whole** (right), nearly every source harms nearly every target, and only the nearest does so mildly. In lesson 01 this worked: there the features were those of a large network with a thousand classes; here, of a small one with a handful.
#
# Two runs are few: differences of a few points in this figure mean nothing. The claims at the end are about those that held over ten seeds.
#
# **The cure** stands in the figure, too, in the row of ink, and it is a shallower transplant: for the digits take three groups instead of five, and most of the harm is gone, for it sits where the network is specific. Or let all of them change; then most of it is undone. Where you doubt a source, take less of it, and freeze less.
#
# ## Which source? Ask before you train
#
# The matrix took well over a hundred trainings. A **transferability score** looks once at what a source network makes of the few labelled target images, and trains nothing. Higher is better; only the *order* of the sources counts.
#
# **LEEP** (Nguyen et al. 2020, [arXiv 2002.12462](https://arxiv.org/abs/2002.12462)) takes the source with its head. To the image $x_i$, one of $N$ target images with label $y_i$, the source network gives probabilities $\theta(x_i)_z$ of its own classes $z$. Count how often target class $y$ and source class $z$ occur together, each image counting for $z$ with its probability, and turn this into a conditional probability:
#
# $$P(y, z) = \frac{1}{N} \sum_{i:\, y_i = y} \theta(x_i)_z, \qquad P(y \mid z) = \frac{P(y, z)}{\sum_{y'} P(y', z)}, \qquad \mathrm{LEEP} = \frac{1}{N} \sum_{i=1}^{N} \log \sum_z P(y_i \mid z)\, \theta(x_i)_z .$$
#
# It is the mean log-likelihood of a lazy classifier: guess the source class $z$, look up which target class usually goes with it. If “four” fires mostly for nines, the source knows something about nines.
#
# **LogME** (You et al. 2021, [arXiv 2102.11005](https://arxiv.org/abs/2102.11005)) takes the features $F$ before the head. It codes each class as 1 against 0 and asks how probable these labels are under a linear function, $F w$ plus noise, with random weights $w$, *averaged over all* $w$ instead of for the best one, so that a large number of features cannot win by overfitting. The variances of weights and noise are chosen to make the labels most probable; the logarithm of this *maximum evidence*, divided by $N$ and averaged over the classes, is the score.
#
# The **H-score** (Bao et al. 2019, *An Information-Theoretic Approach to Transferability in Task Transfer Learning*) takes the features $f$ too: $\mathrm{tr}(\mathrm{cov}(f)^{-1}\, \mathrm{cov}(\mathbb{E}[f \mid y]))$, the variance between the class means in proportion to all variance. We use the version with a regularised covariance (Ibrahim et al. 2022, [arXiv 2110.06893](https://arxiv.org/abs/2110.06893)), and look at the plain one as well.
# %% [markdown] lang="pl"
# Niebieski pomaga, czerwony szkodzi; czytaj wierszami, kolumnami i od panelu do panelu.
#
# - **Kolumnami.** Najlepsze jest to źródło, którego pytanie i obrazy są najbliższe celowi: cyfry 0–4 dla cyfr 5–9, fotografie (które znają te trzy powierzchnie) dla tekstur.
# - **Atrament** to czarny charakter. Widział dokładnie te same obrazy co cyfry 0–4 i nauczył się własnego zadania. A jednak jego zamrożone cechy (po prawej) są dla cyfr katastrofą: żeby zmierzyć ilość atramentu, można *pomijać* kształt, i tego nauczyły się jego warstwy gęste. Dostrajany (po lewej) pozostaje gorszym startem niż cyfry 0–4. Szkodzą więc nie obrazy, lecz pytanie.
# - **Cyfry dla tekstur** (pośrodku): trzy sploty, które widziały tylko jasne linie na czarnym tle, kosztują tekstury wiele punktów, bo nie wolno im się zmienić. Sploty z fotografii nie kosztują ich nic. Pierwsza połowa sieci też bywa zbyt wyspecjalizowana, gdy zbyt odległe są *obrazy*.
# - **Zamrożone w całości** (po prawej) niemal każde źródło szkodzi niemal każdemu celowi, a tylko najbliższe szkodzi łagodnie. W lekcji 01 to działało: tam cechy pochodziły z dużej sieci o tysiącu klas, a tu pochodzą z małej, o zaledwie kilku.
#
# Dwa przebiegi to mało: różnice kilku punktów nic na tym rysunku nie znaczą. Tezy na końcu lekcji dotyczą tylko tych różnic, które utrzymały się dla dziesięciu ziaren losowości.
#
# **Lekarstwo** też jest na rysunku, w wierszu atramentu, i jest nim płytszy przeszczep: weź dla cyfr trzy grupy zamiast pięciu, a szkoda w większości zniknie, bo siedzi tam, gdzie sieć jest wyspecjalizowana. Albo pozwól wszystkim grupom się zmieniać; wtedy szkoda w większości się cofnie. Gdy nie ufasz źródłu, weź z niego mniej i mniej zamrażaj.
#
# ## Które źródło? Zapytaj przed treningiem
#
# Zmierzenie tej macierzy zysków wymagało ponad stu treningów. **Ocena przenoszalności** (ang. *transferability score*) patrzy raz na to, co sieć źródłowa robi z kilkoma obrazami docelowymi z etykietami, i niczego nie trenuje. Wyższa jest lepsza; liczy się tylko *kolejność* źródeł.
#
# **LEEP** (Nguyen i in. 2020, [arXiv 2002.12462](https://arxiv.org/abs/2002.12462)) bierze źródło razem z głowicą. Każdemu z $N$ obrazów docelowych, $x_i$ o etykiecie $y_i$, sieć źródłowa przypisuje prawdopodobieństwa $\theta(x_i)_z$ swoich własnych klas $z$. Policz, jak często klasa docelowa $y$ występuje razem z klasą źródłową $z$ (obraz liczy się dla $z$ z wagą równą prawdopodobieństwu), i zamień to na prawdopodobieństwo warunkowe:
#
# $$P(y, z) = \frac{1}{N} \sum_{i:\, y_i = y} \theta(x_i)_z, \qquad P(y \mid z) = \frac{P(y, z)}{\sum_{y'} P(y', z)}, \qquad \mathrm{LEEP} = \frac{1}{N} \sum_{i=1}^{N} \log \sum_z P(y_i \mid z)\, \theta(x_i)_z .$$
#
# To średni logarytm wiarygodności leniwego klasyfikatora: zgadnij klasę źródłową $z$ i sprawdź w tabeli, która klasa docelowa zwykle jej towarzyszy. Jeśli „czwórka” odzywa się głównie przy dziewiątkach, źródło coś o dziewiątkach wie.
#
# **LogME** (You i in. 2021, [arXiv 2102.11005](https://arxiv.org/abs/2102.11005)) bierze cechy $F$ sprzed głowicy. Dla każdej klasy osobno zapisuje etykiety jako 1 (ta klasa) albo 0 (każda inna) i pyta, jak prawdopodobne są takie etykiety dla funkcji liniowej, $F w$ plus szum, o losowych wagach $w$, *uśredniając po wszystkich* $w$, zamiast brać najlepsze: duża liczba cech nie może więc wygrać przez przeuczenie. Wariancje wag i szumu dobiera się tak, żeby etykiety były najbardziej prawdopodobne; logarytm tego największego prawdopodobieństwa (ang. *maximum evidence*), podzielony przez $N$ i uśredniony po klasach, to ocena.
#
# **H-score** (Bao i in. 2019, *An Information-Theoretic Approach to Transferability in Task Transfer Learning*) też bierze cechy $f$: $\mathrm{tr}(\mathrm{cov}(f)^{-1}\, \mathrm{cov}(\mathbb{E}[f \mid y]))$, czyli wariancja między średnimi klas w stosunku do całej wariancji. Używamy wersji z regularyzowaną kowariancją (Ibrahim i in. 2022, [arXiv 2110.06893](https://arxiv.org/abs/2110.06893)), a przyjrzymy się też zwykłej.

# %%
scores, begin = torch.zeros(2, 7, 3, 4), time.perf_counter()
for (run, j), ((x, y), _) in settings.items():
    for i in range(7):
        features = predict(donors[run, i][:5], x)
        theta = predict(donors[run, i][5:], features).softmax(1)
        found = leep(theta, y), log_me(features, y), h_score(features, y, shrink=True), h_score(features, y)
        scores[run, i, j] = torch.tensor(found)
scoring = time.perf_counter() - begin
print(t(f"scores: {scoring:.1f} s, the trainings of the matrix: {training:.0f} s",
        f"oceny: {scoring:.1f} s, treningi z macierzy: {training:.0f} s"))
fig, axes = plt.subplots(1, 3, figsize=(10.5, 3.6))
source_colours = ("blue", "sky", "orange", "grey", "red", "green", "purple")
for j, (ax, target) in enumerate(zip(axes, targets)):
    for i, (name, colour) in enumerate(zip(tasks, source_colours)):
        ax.plot(scores[:, i, j, 1].mean(), mean_gain[i, j, 0], "o", color=palette(colour), markersize=9, label=name)
    ax.axhline(0, color=palette("black"), linewidth=0.8)
    ax.set(title=target, xlabel="LogME")
axes[0].set_ylabel(t("gain in points, tuned", "zysk w punktach, dostrajane"))
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")
show(fig, alt=t("Gain against LogME for seven sources, a panel for each target.",
                "Zysk a LogME dla siedmiu źródeł, osobny panel dla każdego celu."))

# %%
names = ("LEEP", "LogME", t("H-score, regularised", "H-score, regularyzowany"))
rho = torch.tensor([[[spearmanr(scores[..., j, q].mean(0), mean_gain[:, j, mode])[0] for q in range(3)]
                     for mode in range(3)] for j in range(3)])
table([(f"{target}, {mode}", *(f"{value:.2f}" for value in rho[j, m].tolist()))
       for j, target in enumerate(targets) for m, mode in enumerate(modes)], [t("target"), *names],
      caption=t("Spearman's ρ between score and gain", "Współczynnik ρ Spearmana między oceną a zyskiem"))
picked = scores[..., 1].mean(0).argmax(0)
advantage = torch.stack([mean_gain[picked[j], j] - mean_gain[:, j].mean(0) for j in range(3)])
table([(target, list(tasks)[picked[j]], *(f"{value:+.0f}" for value in advantage[j].tolist())) for j, target in enumerate(targets)],
      [t("target"), t("picked by LogME", "wybór LogME"), *modes],
      caption=t("Points above the average source", "Punkty ponad przeciętne źródło"))

# %% [markdown] lang="en"
# How well does the order of the scores fit the order of the gains? Spearman's $\rho$ is the correlation of the two rankings: 1 if they are the same, 0 if they have nothing to do with each other. With only seven sources it is a rough number.
#
# For a fraction of the cost LogME's pick is better than the average source. But do not read more into the scores:
#
# - Where the sources hardly differ, as for UCI when tuned, the ranking is noise. And a score has no zero: it does not say whether *any* source beats training from scratch. Only the gain, measured, says that.
# - The scores judge the features as they are: five groups, frozen. For that their order fits best. If you cut before the layers that a score has looked at, or change them, you answer another question than it was asked: LEEP's order is of little use for three frozen groups.
# - The plain H-score fails altogether: with 25 images and 64 features every class can be told apart in some direction, and every source gets nearly the full $C - 1$, with $C$ classes: 4 for the digits (a claim below checks it; where $\mathrm{cov}(f)$ has no inverse, a pseudoinverse is taken). Use the plain H-score only where there are many more images than features; otherwise take the regularised one.
# - Scores of different targets cannot be compared at all: fewer classes alone make LEEP higher.
#
# ## Explore: which digits suffer?
#
# Choose what is transplanted and up to where. On the left the chosen network on its curve; on the right its accuracy for each of the digits 5 to 9, with training from scratch in light blue. Try **from 0–4, frozen**, all five groups: one digit is read as well as ever, two others far worse. Which ones? (A likely reason: to the source network a nine looks like a four, and so it keeps a place of its own; sevens and eights look like twos and threes alike, and what has been thrown together no new head can part.)
# %% [markdown] lang="pl"
# Jak dobrze kolejność ocen zgadza się z kolejnością zysków? Współczynnik Spearmana $\rho$ to korelacja dwóch rankingów: 1, gdy są takie same, 0, gdy nie mają ze sobą nic wspólnego. Dla zaledwie siedmiu źródeł to liczba zgrubna.
#
# Za ułamek kosztu wybór LogME jest lepszy od przeciętnego źródła. Ale więcej z ocen nie wyczytasz:
#
# - Tam, gdzie źródła prawie się nie różnią, jak dla UCI przy dostrajaniu, ranking jest szumem. Ocena nie ma też zera: nie mówi, czy *którekolwiek* źródło jest lepsze niż trening od zera. To mówi dopiero zmierzony zysk.
# - Oceny dotyczą cech takich, jakie są, czyli pięciu zamrożonych grup. Do nich ich kolejność pasuje najlepiej. Jeśli odcinasz warstwy, którym ocena się przyglądała, albo je zmieniasz, odpowiadasz na inne pytanie niż to, które jej zadano: kolejność według LEEP niewiele mówi o trzech zamrożonych grupach.
# - Zwykły H-score zawodzi całkowicie: przy 25 obrazach i 64 cechach każdą klasę da się w jakimś kierunku odróżnić i każde źródło dostaje prawie pełne $C - 1$, gdzie $C$ to liczba klas: dla cyfr 4 (sprawdza to teza poniżej; gdy $\mathrm{cov}(f)$ nie ma odwrotności, bierze się pseudoodwrotność). Zwykłego H-score używaj tylko tam, gdzie obrazów jest znacznie więcej niż cech; w innych przypadkach weź wersję regularyzowaną.
# - Ocen dla różnych celów w ogóle nie wolno porównywać: już sama mniejsza liczba klas podnosi LEEP.
#
# ## Zbadaj: które cyfry na tym tracą?
#
# Wybierz, skąd wziąć pierwsze grupy i ile ich przeszczepić. Po lewej wybrana sieć na swojej krzywej; po prawej jej dokładność dla każdej z cyfr od 5 do 9, a na jasnoniebiesko trening od zera. Wypróbuj **z 0–4, zamrożone**, wszystkie pięć grup: jedną cyfrę sieć czyta równie dobrze jak po treningu od zera, dwie inne o wiele gorzej. Które? (Prawdopodobny powód: dla sieci źródłowej dziewiątka wygląda jak czwórka, więc zachowuje własne miejsce; siódemki i ósemki przypominają jej i dwójki, i trójki, a tego, co trafiło do jednego worka, nie rozdzieli żadna nowa głowica.)

# %% tags=["widget"]
def by_digit(way, k):
    shares = [[right[way, run, k][tests[run][1] == digit].mean() for digit in range(5)] for run in runs]
    return torch.tensor(shares).mean(0)


def draw(way, k):
    fig, (left, bars) = plt.subplots(1, 2, figsize=(10, 4))
    draw_curves(left)
    reached = accuracy[way][:, k].mean().item()
    left.plot(k, reached, "o", color=palette("red"), markersize=11)
    left.tick_params("x", rotation=45)
    bars.bar(torch.arange(5, 10) - 0.2, by_digit(way, 0), 0.4, color=palette("sky"), label=t("from scratch"))
    bars.bar(torch.arange(5, 10) + 0.2, by_digit(way, k), 0.4, color=palette("red"), label=way)
    bars.set(xlabel=t("digit", "cyfra"), ylabel=t("test accuracy"), ylim=(0, 1))
    bars.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    left.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, fontsize=9)
    return fig, t(f"{way}, {k} groups: accuracy {reached:.2f} on the digits 5 to 9.",
                  f"{way}, liczba grup {k}: dokładność {reached:.2f} na cyfrach od 5 do 9.")


explorer = explore(draw, way=ways, k=range(6), labels={"way": t("first groups", "pierwsze grupy"), "k": "k"})
explorer.controls["k"].value = 5
explorer

# %% [markdown] lang="en"
# ## In robotics
#
# Which eyes should a robot have? Taskonomy (Zamir et al. 2018, [arXiv 1804.08328](https://arxiv.org/abs/1804.08328)) measured such a matrix on a grand scale: 26 visual tasks, from depth and edges to the class of the scene, four of them as sources only, on pictures of the same indoor scenes. With sources chosen from it, ten tasks could be solved nearly as well with about a third of the labels.
#
# Sax et al. 2018 ([arXiv 1812.11971](https://arxiv.org/abs/1812.11971)) took such networks, frozen, as the eyes of a simulated robot that learns to move through buildings by reinforcement learning, and tested it in buildings that it had not seen. With the right features it learned faster and generalised better than from raw pixels. But *right* depended on the job: features that name objects were best for finding a given object, features that know distances for exploring. As the job may not be known beforehand, they choose a small *set* of features that covers many jobs: where no ranking can be trusted, take several sources.
# %% [markdown] lang="pl"
# ## W robotyce
#
# Jakie oczy dać robotowi? W pracy Taskonomy (Zamir i in. 2018, [arXiv 1804.08328](https://arxiv.org/abs/1804.08328)) zmierzono taką macierz na wielką skalę: 26 zadań wzrokowych, od głębi i krawędzi po rodzaj sceny, cztery z nich tylko jako źródła, na zdjęciach tych samych wnętrz. Gdy źródła dobrano na jej podstawie, dziesięć zadań dało się rozwiązać niemal tak dobrze, jak przy osobnym uczeniu, a wystarczyła mniej więcej jedna trzecia etykiet.
#
# Sax i in. 2018 ([arXiv 1812.11971](https://arxiv.org/abs/1812.11971)) użyli takich zamrożonych sieci jako oczu symulowanego robota, który przez uczenie ze wzmocnieniem (ang. *reinforcement learning*) uczy się poruszać po budynkach, i sprawdzili go w budynkach, których nie widział. Z właściwymi cechami uczył się szybciej i uogólniał lepiej niż z samych pikseli. Ale to, które są *właściwe*, zależało od zadania: do odszukania wskazanego przedmiotu najlepsze były cechy nazywające przedmioty, do eksploracji cechy, które niosą informację o odległościach. Ponieważ zadania można z góry nie znać, autorzy wybierają mały *zestaw* cech, który wystarcza do wielu zadań: gdy żadnemu rankingowi nie można ufać, weź kilka źródeł.

# %% [markdown] lang="en"
# ## Exercises
#
# **1. CKA.** Return the linear CKA of the features `x` (N, D1) and `y` (N, D2) of the same examples, by the form with $\lVert Y^{\top} X \rVert^2$. They are not centred yet.
# %% [markdown] lang="pl"
# ## Ćwiczenia
#
# **1. CKA.** Zwróć liniowe CKA cech `x` (N, D1) i `y` (N, D2) tych samych przykładów, używając postaci z $\lVert Y^{\top} X \rVert^2$. Cechy nie są jeszcze wycentrowane.

# %% tags=["exercise"]
def cka(x, y):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# Subtract `x.mean(0)`. The denominator has the same form: $\lVert K \rVert = \lVert X X^{\top} \rVert = \lVert X^{\top} X \rVert$. `.norm()` of a matrix is the root of the sum of squares.
# %% [markdown] lang="pl" tags=["hint"]
# Odejmij `x.mean(0)`. Mianownik ma taką samą postać: $\lVert K \rVert = \lVert X X^{\top} \rVert = \lVert X^{\top} X \rVert$. `.norm()` macierzy to pierwiastek z sumy kwadratów.

# %% tags=["check"]
check("cka", cka)


# %% tags=["solution"]
def cka(x, y):
    x, y = x - x.mean(0), y - y.mean(0)
    return (y.T @ x).norm() ** 2 / ((x.T @ x).norm() * (y.T @ y).norm())


# %% [markdown] lang="en"
# **2. LEEP.** Return the score from the source's probabilities `theta` (N, Z) and the target labels `y` (N,), class numbers from 0 on.
# %% [markdown] lang="pl"
# **2. LEEP.** Zwróć ocenę na podstawie prawdopodobieństw źródła `theta` (N, Z) i etykiet docelowych `y` (N,), czyli numerów klas od 0.

# %% tags=["exercise"]
def leep_score(theta, y):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# With `F.one_hot(y)` of shape (N, C) the joint distribution $P(y, z)$ is one matrix product, (C, Z); turn the integers into floats first, `.to(theta)`. If `conditional` holds $P(y \mid z)$, then `conditional[y]` is the right row for each example, (N, Z).
# %% [markdown] lang="pl" tags=["hint"]
# Z `F.one_hot(y)` o kształcie (N, C) rozkład łączny $P(y, z)$ to jedno mnożenie macierzy, (C, Z); zamień najpierw liczby całkowite na zmiennoprzecinkowe, `.to(theta)`. Jeśli `conditional` zawiera $P(y \mid z)$, to `conditional[y]` jest właściwym wierszem dla każdego przykładu, (N, Z).

# %% tags=["check"]
check("leep_score", leep_score)


# %% tags=["solution"]
def leep_score(theta, y):
    joint = F.one_hot(y).T.to(theta) @ theta / len(y)
    conditional = joint / joint.sum(0)
    return (theta * conditional[y]).sum(1).log().mean()


# %% [markdown] lang="en"
# ## Quiz
# %% [markdown] lang="pl"
# ## Quiz

# %% tags=["quiz"]
quiz(
    Quiz(
        t("Frozen, from 0–4, the accuracy falls after `conv3`. Which line shows that the source task is to blame, and not the cutting?",
          "Dla zamrożonych z 0–4 dokładność spada za `conv3`. Która linia pokazuje, że winne jest zadanie źródłowe, a nie samo cięcie?"),
        [
            (t("Random, frozen.", "Losowe, zamrożone."), False,
             t("It tells what the architecture does without any training.", "Mówi, co robi architektura bez żadnego treningu.")),
            (t("From 5–9, frozen.", "Z 5–9, zamrożone."), True,
             t("Yes: it is cut at the same place, but its layers fit the task, and it does not fall there.",
               "Tak: cięto ją w tym samym miejscu, ale jej warstwy pasują do zadania, i tam nie spada.")),
            (t("From 0–4, tuned.", "Z 0–4, dostrajane."), False,
             t("There the layers change, so it cannot tell what they were good for.",
               "Tam warstwy się zmieniają, więc nie pokaże, do czego się nadawały.")),
        ],
    ),
    Quiz(
        t("A layer's features are multiplied by an orthogonal matrix. What happens to its linear CKA with another layer?",
          "Cechy warstwy mnożysz przez macierz ortogonalną. Co się stanie z jej liniowym CKA z inną warstwą?"),
        [
            (t("It stays as it is.", "Pozostanie bez zmian."), True,
             t("Yes: $X Q Q^{\\top} X^{\\top} = X X^{\\top}$.", "Tak: $X Q Q^{\\top} X^{\\top} = X X^{\\top}$.")),
            (t("It falls, since the features have been mixed.", "Spadnie, bo cechy się wymieszały."), False,
             t("CKA asks which examples are alike, and a turn leaves all inner products as they are.",
               "CKA pyta, które przykłady są podobne, a obrót nie zmienia żadnego iloczynu skalarnego.")),
            (t("It becomes 1.", "Stanie się równe 1."), False,
             t("1 is the CKA of the layer with its own turned copy, not with another layer.",
               "1 to CKA warstwy z jej własną obróconą kopią, a nie z inną warstwą.")),
        ],
    ),
    Quiz(
        t("Why does the ink source, frozen, harm UCI's digits, though it was trained on digits?",
          "Dlaczego zamrożone źródło „atrament” szkodzi cyfrom z UCI, choć trenowano je na cyfrach?"),
        [
            (t("It has not learned its own task.", "Nie nauczyło się własnego zadania."), False,
             t("It has: the amount of ink is easy to see.", "Nauczyło się: ilość atramentu łatwo zobaczyć.")),
            (t("UCI's digits were written by other people.", "Cyfry z UCI pisali inni ludzie."), False,
             t("The digits 0–4 come from other people, too, and harm far less.",
               "Cyfry 0–4 też pisali inni, a szkodzą o wiele mniej.")),
            (t("Its question lets it ignore the shape, and the shape is what the target needs.",
               "Jego pytanie pozwala pomijać kształt, a właśnie kształtu potrzebuje cel."), True,
             t("Yes: what a layer has learned to ignore is missing behind it.",
               "Tak: za warstwą brakuje tego, co nauczyła się pomijać.")),
        ],
    ),
    Quiz(
        t("LogME ranks source A before source B. What may you conclude?", "LogME stawia źródło A przed źródłem B. Co wolno ci wywnioskować?"),
        [
            (t("A will beat training from scratch.", "A będzie lepsze niż trening od zera."), False,
             t("A score has no zero: even the best of the sources may harm.", "Ocena nie ma zera: nawet najlepsze ze źródeł może szkodzić.")),
            (t("A is worth trying first, and has to be measured against training from scratch.",
               "Warto zacząć od A i porównać je z treningiem od zera."), True,
             t("Yes: that is the use of a cheap, rough ranking.", "Tak: do tego służy tani, zgrubny ranking.")),
            (t("A beats B on any target.", "A jest lepsze od B dla każdego celu."), False,
             t("Each column of the matrix had its own order.", "Każda kolumna macierzy miała własną kolejność.")),
        ],
    ),
)

# %% [markdown] lang="en"
# ## What we saw
#
# - Frozen convolutions from another task beat training from scratch on 25 images; frozen dense layers lose to it. The controls say why: neither the architecture nor the cut does it.
# - CKA agrees: tuning left the convolutions nearly as they were and rebuilt the dense layers. It needs references, since an untrained first layer is similar, too, and a correction where examples are fewer than features.
# - Negative transfer belongs to a pair of source and target and to a method. The same images with another question are a disaster when the network is frozen whole, and do no great harm when fewer layers are taken.
# - Scores cost next to nothing and mostly pick a source above the average, but cannot tell whether it helps, and have blind spots.
#
# The numbers of this run have to bear this out:
# %% [markdown] lang="pl"
# ## Podsumowanie
#
# - Zamrożone sploty z innego zadania wygrywają przy 25 obrazach z treningiem od zera; zamrożone warstwy gęste z nim przegrywają. Próby kontrolne wykluczają inne przyczyny: nie sprawia tego ani architektura, ani cięcie.
# - CKA to potwierdza: dostrajanie zostawiło sploty prawie bez zmian, a przebudowało warstwy gęste. Potrzebuje jednak punktów odniesienia, bo nawet niewytrenowana pierwsza warstwa przypomina wytrenowaną, oraz poprawki tam, gdzie przykładów jest mniej niż cech.
# - O transferze negatywnym decydują razem para źródło–cel i metoda. Te same obrazy z innym pytaniem to katastrofa, gdy sieć jest zamrożona w całości, a gdy weźmiesz mniej warstw, szkoda jest niewielka.
# - Oceny nie kosztują prawie nic i przeważnie wskazują źródło lepsze od przeciętnego, ale nie powiedzą, czy ono pomoże, i mają swoje martwe pola.
#
# Liczby z tego uruchomienia muszą to potwierdzać:

# %% tags=["claim"]
points = {way: 100 * runs_of.mean(0) for way, runs_of in accuracy.items()}
from_old, tuned_old, noise, own = points.values()
claim(t("Frozen up to conv3, above training from scratch", "Zamrożone do conv3, przewaga nad treningiem od zera"),
      from_old[3] - from_old[0], at_least=3, unit=t("points", "pkt"))
claim(t("Frozen up to dense2, below training from scratch", "Zamrożone do dense2, strata wobec treningu od zera"),
      from_old[0] - from_old[5], at_least=4, unit=t("points", "pkt"))
claim(t("All but the head tuned, above training from scratch", "Dostrajane wszystko poza głowicą, przewaga nad treningiem od zera"),
      tuned_old[5] - tuned_old[0], at_least=1, unit=t("points", "pkt"))
claim(t("Accuracy with five random groups", "Dokładność z pięcioma losowymi grupami"), noise[5], at_most=40, unit="%")
claim(t("Cut after dense1, the own network beats the one from 0–4 by", "Cięcie za dense1: własna sieć wygrywa z siecią z 0–4 o"),
      own[4] - from_old[4], at_least=1, unit=t("points", "pkt"))
six, seven, eight, nine = by_digit(ways[0], 5)[1:]
claim(t("Five groups frozen: nines are read better than sevens and eights by", "Pięć grup zamrożonych: dziewiątki czytane lepiej niż siódemki i ósemki o"),
      100 * (nine - (seven + eight) / 2), at_least=8, unit=t("points", "pkt"))
same_start, other_seed, untrained = (matrix.diagonal() for matrix in similarity.values())
claim(t("CKA of conv1 before and after tuning", "CKA warstwy conv1 przed dostrojeniem i po nim"), same_start[0], at_least=0.9)
claim(t("CKA of dense2: another seed above the tuned network", "CKA warstwy dense2: inne ziarno ponad siecią dostrojoną"),
      other_seed[4] - same_start[4], at_least=0.05)
claim(t("CKA of conv1 with an untrained network", "CKA warstwy conv1 z siecią niewytrenowaną"), untrained[0], at_least=0.7)

# %% tags=["claim"]
on_digits = mean_gain[:, :2].mean(1)
claim(t("Gain from ink to the two digit tasks, five groups frozen", "Zysk ze źródła „atrament” dla dwóch zadań z cyframi, pięć grup, zamrożone"),
      on_digits[4, 2], at_most=-20, unit=t("points", "pkt"))
claim(t("With three groups frozen it is higher by", "Gdy zamrożone są trzy grupy, jest wyższy o"), on_digits[4, 1] - on_digits[4, 2], at_least=20, unit=t("points", "pkt"))
claim(t("Gain from ink to the two digit tasks, tuned", "Zysk ze źródła „atrament” dla dwóch zadań z cyframi, dostrajane"), on_digits[4, 0], at_most=0, unit=t("points", "pkt"))
claim(t("Tuned, ink is worse than the digits 0–4 by", "Dostrajany atrament jest gorszy od cyfr 0–4 o"), on_digits[0, 0] - on_digits[4, 0], at_least=1, unit=t("points", "pkt"))
claim(t("Gain from the five sources with digits to textures, three groups frozen, on average", "Zysk z pięciu źródeł z cyframi dla tekstur, trzy grupy, zamrożone, średnio"),
      mean_gain[:5, 2, 1].mean(), at_most=-5, unit=t("points", "pkt"))
claim(t("Gain from digits 0–4 to digits 5–9, three groups frozen", "Zysk ze źródła „cyfry 0–4” dla cyfr 5–9, trzy grupy, zamrożone"),
      mean_gain[0, 0, 1], at_least=3, unit=t("points", "pkt"))
claim(t("Photographs above the five sources with digits, for textures, three groups frozen", "Fotografie ponad pięcioma źródłami z cyframi, dla tekstur, trzy grupy, zamrożone"),
      mean_gain[6, 2, 1] - mean_gain[:5, 2, 1].mean(), at_least=10, unit=t("points", "pkt"))
claim(t("LogME's pick above the average source, mean over targets and ways", "Wybór LogME ponad przeciętnym źródłem, średnia po celach i sposobach"),
      advantage.mean(), at_least=3, unit=t("points", "pkt"))
claim(t("LEEP's ρ, mean over targets, five groups frozen", "ρ dla LEEP, średnia po celach, pięć grup, zamrożone"), rho[:, 2, 0].mean(), at_least=0.3)
claim(t("LEEP's ρ, mean over targets, three groups frozen", "ρ dla LEEP, średnia po celach, trzy grupy, zamrożone"), rho[:, 1, 0].mean(), at_most=0.6)
claim(t("The plain H-score of the digits 5–9, its mean over sources, of 4 possible", "Zwykły H-score cyfr 5–9, średnia po źródłach, na 4 możliwe"),
      scores[:, :, 0, 3].mean(), at_least=3.8)
claim(t("Scores are faster than the trainings by a factor of", "Oceny są szybsze od treningów tyle razy"), training / scoring, at_least=10, unit="×")

# %% [markdown] lang="en"
# ## Where to go next
#
# - Yosinski et al. 2014, *How transferable are features in deep neural networks?*, [arXiv 1411.1792](https://arxiv.org/abs/1411.1792)
# - Kornblith et al. 2019, *Similarity of Neural Network Representations Revisited*, [arXiv 1905.00414](https://arxiv.org/abs/1905.00414)
# - Wang et al. 2019, *Characterizing and Avoiding Negative Transfer*, [arXiv 1811.09751](https://arxiv.org/abs/1811.09751)
# - Maennel et al. 2020, *What Do Neural Networks Learn When Trained With Random Labels?*, [arXiv 2006.10455](https://arxiv.org/abs/2006.10455)
# - Zamir et al. 2018, *Taskonomy: Disentangling Task Transfer Learning*, [arXiv 1804.08328](https://arxiv.org/abs/1804.08328)
# %% [markdown] lang="pl"
# ## Co dalej
#
# - Yosinski i in. 2014, *How transferable are features in deep neural networks?*, [arXiv 1411.1792](https://arxiv.org/abs/1411.1792)
# - Kornblith i in. 2019, *Similarity of Neural Network Representations Revisited*, [arXiv 1905.00414](https://arxiv.org/abs/1905.00414)
# - Wang i in. 2019, *Characterizing and Avoiding Negative Transfer*, [arXiv 1811.09751](https://arxiv.org/abs/1811.09751)
# - Maennel i in. 2020, *What Do Neural Networks Learn When Trained With Random Labels?*, [arXiv 2006.10455](https://arxiv.org/abs/2006.10455)
# - Zamir i in. 2018, *Taskonomy: Disentangling Task Transfer Learning*, [arXiv 1804.08328](https://arxiv.org/abs/1804.08328)
