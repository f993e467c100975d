# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   tlcourse:
#     title: {en: Prototypical networks, pl: Sieci prototypowe}
#     minutes: 60
#     seconds: 50
#     prerequisites: ["01_feature_extraction"]
# ---

# %% [markdown] lang="en"
# # Prototypical networks
#
# A new defect appears on the line, and you have five pictures of it, not five hundred. Here you train a network once, and afterwards it learns new classes from one example each, without a single gradient step.
#
# **After this lesson you will be able to**
#
# - pose an N-way K-shot task: episodes with a support set and a query set,
# - write a prototypical network, and derive why a class is represented by its mean,
# - show that it is a linear classifier whose weights nobody trains,
# - train by episodes, and report accuracies with their intervals,
# - say when a prototype cannot stand for its class, and see it fail.
#
# **You need**: [lesson 01](01_feature_extraction.ipynb). **Time**: about an hour; the code runs in just under a minute. New words are explained in the glossary of [lesson 00](00_start.ipynb).
# %% [markdown] lang="pl"
# # Sieci prototypowe
#
# Na linii pojawia się nowa usterka i masz pięć jej zdjęć, a nie pięćset. Tutaj wytrenujesz sieć raz, a potem będzie się ona uczyć nowych klas z jednego przykładu każdej, bez ani jednego kroku gradientu.
#
# **Po tej lekcji będziesz umieć**
#
# - postawić zadanie typu N klas po K przykładów: epizody ze zbiorem wsparcia i zbiorem zapytań,
# - napisać sieć prototypową i wyprowadzić, dlaczego klasę reprezentuje jej średnia,
# - pokazać, że to klasyfikator liniowy, którego wag nikt nie trenuje,
# - trenować epizodami i podawać dokładność razem z przedziałem ufności,
# - powiedzieć, kiedy prototyp nie może zastąpić swojej klasy, i zobaczyć, jak zawodzi.
#
# **Co trzeba umieć**: [lekcja 01](01_feature_extraction.ipynb). **Czas**: około godziny; kod wykonuje się niecałą minutę. Nowe słowa wyjaśnia słowniczek w [lekcji 00](00_start.ipynb).

# %% tags=["setup"]
from tlcourse.classroom import start_lesson, t

start_lesson("08_prototypical_networks", lang="en")

# %% tags=["imports"]
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from scipy.optimize import minimize
from sklearn.manifold import TSNE
from torch import nn
from tqdm.auto import tqdm

from tlcourse.classroom import Prediction, Quiz, band, check, claim, explore, image_grid, mean_pm, palette, quiz, recorded, show, show_source, table
from tlcourse.data.boards import CLASSES, make_boards
from tlcourse.data.digits import load_mnist
from tlcourse.data.glyphs import HELD_OUT, glyphs
from tlcourse.feature_extraction import FeatureExtractor, linear_probe
from tlcourse.few_shot import (
    DISTANCES, EpisodeSampler, PrototypicalNetwork, class_prototypes, evaluate_episodes, prototype_classifier, squared_euclidean_distance,
)
from tlcourse.networks import conv4
from tlcourse.runtime import seed_everything
from tlcourse.training import predict

SEED = 0

# %% [markdown] lang="en"
# ## The idea
#
# Somebody shows you one letter of a script that you have never seen. A minute later you find it again on another page, in another hand. You did not learn that letter from hundreds of samples: you had learned long before, from other letters, *what changes from hand to hand and what does not*. The pen is thicker, the line slants, but the loop stays a loop.
#
# That knowledge can be trained, too. Instead of a network that names classes we train one that **compares**: it puts images into a space in which the same letter in two hands lies close together and two letters lie apart. A new class then costs no training at all. Its few examples are put into the space, and their mean, the **prototype**, stands for the class. A new image belongs to the nearest prototype.
#
# We train on letters of five scripts (Latin, Greek, Coptic, Cyrillic, Canadian syllabics) and test on ten others, from Armenian to Old Italic. They come from a font, reduced to the middle line of each stroke and drawn anew by twenty **drawers**, each with a pen, a slant and a model of their own. No letter of the test looks like one of the training: the lookalikes are left out. (The famous collection of this kind is Omniglot, Lake et al. 2015; `tlcourse.data.glyphs.omniglot(download=True)` loads it, and everything below runs on it, too.)
# %% [markdown] lang="pl"
# ## Pomysł
#
# Ktoś pokazuje ci jedną literę pisma, którego nigdy nie widziałeś ani nie widziałaś. Minutę później odnajdujesz ją na innej stronie, napisaną inną ręką. Nie nauczyły cię jej setki przykładów: dużo wcześniej, na innych literach, wiadomo ci było już, *co zmienia się od ręki do ręki, a co nie*. Kreska jest grubsza, pismo pochylone, ale pętelka pozostaje pętelką.
#
# Tej wiedzy też można nauczyć sieć. Zamiast sieci, która nazywa klasy, trenujemy taką, która **porównuje**: umieszcza obrazy w przestrzeni, w której ta sama litera dwóch rąk leży blisko siebie, a dwie różne litery daleko. Nowa klasa nie wymaga wtedy żadnego treningu. Umieszczamy w tej przestrzeni jej nieliczne przykłady, a klasę zastępuje ich średnia, **prototyp**. Nowy obraz należy do tej klasy, której prototyp leży najbliżej. Tak wygląda uczenie na kilku przykładach (ang. *few-shot learning*).
#
# Trenujemy na literach pięciu pism (łacińskiego, greckiego, koptyjskiego, cyrylicy i sylabariusza kanadyjskiego), a sprawdzamy na dziesięciu innych, od ormiańskiego po staroitalskie. Litery pochodzą z kroju pisma: zostaje z nich środek każdej kreski, a potem na nowo rysuje je dwudziestu **rysowników**, każdy swoim piórem, ze swoim pochyleniem i według swojego wzoru. Żadna litera testowa nie wygląda jak treningowa: podobne zostały usunięte. (Słynny zbiór tego rodzaju to Omniglot, Lake i in. 2015; wczytuje go `tlcourse.data.glyphs.omniglot(download=True)` i wszystko poniżej działa także na nim.)

# %%
known, new = glyphs(seed=2 * SEED), glyphs(HELD_OUT, seed=2 * SEED + 1)
table([(t("to train on", "do treningu"), len(known.names), len(set(known.scripts)), len(known.images)),
       (t("never seen", "nigdy niewidziane"), len(new.names), len(set(new.scripts)), len(new.images))],
      [t("glyphs", "znaki"), t("letters", "litery"), t("scripts", "pisma"), t("images", "obrazy")])

# %% [markdown] lang="en"
# A test is a heap of small tasks, called **episodes**. Each draws $N$ classes, and of each class $K$ examples to learn from (the **support set**) and some others to answer (the **query set**). That is **N-way K-shot**; with $K = 1$ one speaks of one-shot learning. Here is an episode with $N = 5$, $K = 1$. The top row is all that you may learn from; below are two queries of each class, in mixed order. Which letter is each of them? (The answers stand below.)
# %% [markdown] lang="pl"
# Test to wiele małych zadań, zwanych **epizodami**. Każdy losuje $N$ klas, a z każdej klasy $K$ przykładów do nauki (**zbiór wsparcia**, ang. *support set*) i kilka innych, na które trzeba odpowiedzieć (**zbiór zapytań**, ang. *query set*). To zadanie typu **N klas po K przykładów** (ang. *N-way K-shot*); przy $K = 1$ mówimy o uczeniu na jednym przykładzie. Oto epizod z $N = 5$ i $K = 1$. Uczyć się wolno tylko z górnego rzędu; niżej są po dwa zapytania z każdej klasy, w pomieszanej kolejności. Która to litera? (Odpowiedzi są pod spodem.)

# %%
episode = next(iter(EpisodeSampler(new.labels, n_way=5, n_support=1, n_query=2, seed=SEED)))
order = torch.randperm(10, generator=torch.Generator().manual_seed(SEED))
shown = torch.cat([episode.support, episode.query[order]])
fig = image_grid(new.images[shown], [*"ABCDE", *map(str, range(1, 11))], rows=3, row_names=[t("support", "wsparcie"), t("queries", "zapytania"), ""], size=1.1)
show(fig, alt=t("Five letters A to E of scripts never seen, one example each, and below them ten queries in mixed order: the same letters by other drawers.",
                "Pięć liter od A do E z nieznanych pism, po jednym przykładzie, a niżej dziesięć zapytań w pomieszanej kolejności: te same litery narysowane przez inne osoby."))
print(t("Answers:", "Odpowiedzi:"), *(f"{i}{'ABCDE'[label]}" for i, label in enumerate(episode.query_labels[order], 1)))

# %% [markdown] lang="en"
# The simplest answer needs no network: compare the pixels themselves. The features of an image are its 784 numbers, the prototype is the mean picture of the support, and the nearest one wins. Six hundred episodes of scripts never seen, with ten queries a class:
# %% [markdown] lang="pl"
# Najprostsza odpowiedź nie wymaga sieci: porównać same piksele. Cechy obrazu to jego 784 liczby, prototyp to średni obraz ze zbioru wsparcia, wygrywa najbliższy. Sześćset epizodów z pism nigdy niewidzianych, po dziesięć zapytań na klasę:

# %%
nearest_prototype = PrototypicalNetwork(nn.Identity())
TASKS = {t(f"{n}-way {k}-shot", f"{n} klas po {k}"): (n, k) for n in (5, 20) for k in (1, 5)}


def accuracy(features, n_way, n_support):
    return evaluate_episodes(nearest_prototype, features, EpisodeSampler(new.labels, n_way, n_support, n_query=10, seed=SEED))


pixels = new.images.flatten(1) / 255
scores = {t("pixels", "piksele"): [accuracy(pixels, *task) for task in TASKS.values()]}
table([(name, *(f"{s.mean:.3f} ± {s.interval:.3f}" for s in row)) for name, row in scores.items()], [t("features", "cechy"), *TASKS])

# %% [markdown] lang="en"
# Behind ± is half of a 95 % interval: what another draw of 600 episodes would change. One episode says nothing, it may be easy or hard; so few-shot results are always reported over hundreds of them.
#
# ## The mathematics
#
# Let $f_\theta$ be the encoder, $S_k$ the support examples of class $k$, and $d$ a distance. A prototypical network (Snell et al. 2017, [arXiv 1703.05175](https://arxiv.org/abs/1703.05175)) is three lines:
#
# $$c_k = \frac{1}{|S_k|} \sum_{x \in S_k} f_\theta(x), \qquad p_\theta(y = k \mid x) = \frac{e^{-d(f_\theta(x),\, c_k)}}{\sum_{j} e^{-d(f_\theta(x),\, c_j)}}, \qquad L(\theta) = -\log p_\theta(y \mid x),$$
#
# the loss averaged over the queries $x$ with their classes $y$. It is the familiar cross-entropy, with $-d$ in the place of logits. What the classes are *called* appears nowhere: the next episode has other classes, and the same $\theta$ must serve it. That is **metric learning**: what is learned is a distance, not a list of classes. And $d$ is the **squared** Euclidean distance $\lVert z - c \rVert^2$. (Unsquared is a common mistake; the argument below would no longer hold.)
# %% [markdown] lang="pl"
# Za znakiem ± stoi połowa przedziału ufności 95 %: o tyle mogłoby zmienić wynik inne losowanie 600 epizodów. Jeden epizod nic nie mówi, bo bywa łatwy albo trudny; dlatego wyniki uczenia na kilku przykładach podaje się zawsze dla setek epizodów.
#
# ## Matematyka
#
# Niech $f_\theta$ będzie enkoderem, $S_k$ przykładami klasy $k$ ze zbioru wsparcia, a $d$ odległością. Sieć prototypowa (Snell i in. 2017, [arXiv 1703.05175](https://arxiv.org/abs/1703.05175)) to trzy wzory:
#
# $$c_k = \frac{1}{|S_k|} \sum_{x \in S_k} f_\theta(x), \qquad p_\theta(y = k \mid x) = \frac{e^{-d(f_\theta(x),\, c_k)}}{\sum_{j} e^{-d(f_\theta(x),\, c_j)}}, \qquad L(\theta) = -\log p_\theta(y \mid x),$$
#
# przy czym stratę uśredniamy po zapytaniach $x$ i ich klasach $y$. To dobrze znana entropia krzyżowa, tylko na miejscu logitów stoi $-d$. Nigdzie nie ma *nazw* klas: następny epizod ma inne klasy, a to samo $\theta$ musi mu wystarczyć. To **uczenie metryki** (ang. *metric learning*): sieć uczy się odległości, a nie listy klas. A $d$ to **kwadrat** odległości euklidesowej, $\lVert z - c \rVert^2$. (Brak kwadratu to częsty błąd; rozumowanie poniżej przestaje wtedy działać.)

# %%
show_source(class_prototypes, squared_euclidean_distance, PrototypicalNetwork._by_labels)

# %% [markdown] lang="en"
# `index_add` adds each feature to the row of its class, so the labels may be any numbers in any order. The distances need one product of matrices: for 2,000 queries and 100 classes of 512 features, writing out all differences $z_i - c_j$ would take 100 million numbers.
#
# **Why the mean?** Is there no better representative of a class, such as a median? Take any strictly convex, differentiable function $\varphi$. Its **Bregman divergence** is the gap between $\varphi$ and its tangent at $c$:
#
# $$d_\varphi(z, c) = \varphi(z) - \varphi(c) - \langle \nabla\varphi(c),\, z - c \rangle \;\ge\; 0 .$$
#
# $\varphi(z) = \lVert z \rVert^2$ gives $\lVert z - c \rVert^2$; $\varphi(z) = \sum_j z_j \log z_j$ gives the Kullback–Leibler divergence. Let $z_1, \dots, z_n$ be the examples of a class and $\bar z$ their mean. How much worse than the mean is another point $c$? Subtract the two sums. The terms $\varphi(z_i)$ cancel, and $\sum_i \langle \nabla\varphi(\bar z), z_i - \bar z \rangle = 0$, so that
#
# $$\sum_{i=1}^n d_\varphi(z_i, c) - \sum_{i=1}^n d_\varphi(z_i, \bar z) = n \left[ \varphi(\bar z) - \varphi(c) - \langle \nabla\varphi(c),\, \bar z - c \rangle \right] = n\, d_\varphi(\bar z, c) \;\ge\; 0 .$$
#
# The mean is the best single representative for *every* Bregman divergence (Banerjee et al. 2005, JMLR 6), and for no other kind of distance in general. Let an optimiser look for the best point, and see how far from the mean it ends:
# %% [markdown] lang="pl"
# `index_add` dodaje każdy wektor cech do wiersza jego klasy, więc etykiety mogą być dowolnymi liczbami w dowolnej kolejności. Odległości wymagają jednego mnożenia macierzy: przy 2000 zapytań i 100 klasach po 512 cech wypisanie wszystkich różnic $z_i - c_j$ zajęłoby 100 milionów liczb.
#
# **Dlaczego średnia?** Czy klasa nie ma lepszego przedstawiciela, na przykład mediany? Weź dowolną funkcję $\varphi$, ściśle wypukłą i różniczkowalną. Jej **dywergencja Bregmana** to odstęp między $\varphi$ a jej styczną w punkcie $c$:
#
# $$d_\varphi(z, c) = \varphi(z) - \varphi(c) - \langle \nabla\varphi(c),\, z - c \rangle \;\ge\; 0 .$$
#
# Dla $\varphi(z) = \lVert z \rVert^2$ jest to $\lVert z - c \rVert^2$; dla $\varphi(z) = \sum_j z_j \log z_j$ dywergencja Kullbacka–Leiblera. Niech $z_1, \dots, z_n$ będą przykładami klasy, a $\bar z$ ich średnią. O ile gorszy od średniej jest inny punkt $c$? Odejmij obie sumy. Składniki $\varphi(z_i)$ się znoszą, a $\sum_i \langle \nabla\varphi(\bar z), z_i - \bar z \rangle = 0$, więc
#
# $$\sum_{i=1}^n d_\varphi(z_i, c) - \sum_{i=1}^n d_\varphi(z_i, \bar z) = n \left[ \varphi(\bar z) - \varphi(c) - \langle \nabla\varphi(c),\, \bar z - c \rangle \right] = n\, d_\varphi(\bar z, c) \;\ge\; 0 .$$
#
# Średnia jest najlepszym pojedynczym przedstawicielem dla *każdej* dywergencji Bregmana (Banerjee i in. 2005, JMLR 6), a dla innych odległości na ogół nie. Niech optymalizator poszuka najlepszego punktu; zobacz, jak daleko od średniej skończy:

# %%
points = torch.rand(7, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(SEED)) + 0.5
candidates = {t("Euclidean, squared", "euklidesowa, kwadrat"): lambda z, c: (z - c).square().sum(),
              "Kullback–Leibler": lambda z, c: (z * (z / c).log() - z + c).sum(),
              t("Euclidean, not squared", "euklidesowa, bez kwadratu"): lambda z, c: (z - c).norm(dim=1).sum()}
best = [minimize(lambda c: d(points, torch.tensor(c)).item(), [1, 1], method="Nelder-Mead", options={"xatol": 1e-8}).x for d in candidates.values()]
offsets = {name: np.linalg.norm(point - points.mean(0).numpy()) for name, point in zip(candidates, best)}
table([(name, f"{offset:.4f}") for name, offset in offsets.items()], [t("distance", "odległość"), t("from the best point to the mean", "od najlepszego punktu do średniej")])

# %% [markdown] lang="en"
# For the first two the best point *is* the mean; without the square it is another one, the geometric median. (For numbers that do not sum to 1 the Kullback–Leibler divergence has the extra terms $-z + c$.)
#
# **A linear classifier in disguise.** Expand the square: $-\lVert z - c_k \rVert^2 = 2 \langle c_k, z \rangle - \lVert c_k \rVert^2 - \lVert z \rVert^2$. The last term is the same for every class, so the softmax does not see it. What is left is a linear layer,
#
# $$\text{logit}_k = \langle w_k, z \rangle + b_k, \qquad w_k = 2 c_k, \qquad b_k = -\lVert c_k \rVert^2,$$
#
# a linear probe as in lesson 01, but one whose weights are *read off* the examples instead of trained. So all that is not linear has to be done by the encoder; hold on to this for the section on failure.
# %% [markdown] lang="pl"
# W dwóch pierwszych przypadkach najlepszy punkt *jest* średnią; bez kwadratu jest nim inny punkt, mediana geometryczna. (Gdy liczby nie sumują się do 1, dywergencja Kullbacka–Leiblera ma dodatkowe składniki $-z + c$.)
#
# **Klasyfikator liniowy w przebraniu.** Rozwiń kwadrat: $-\lVert z - c_k \rVert^2 = 2 \langle c_k, z \rangle - \lVert c_k \rVert^2 - \lVert z \rVert^2$. Ostatni składnik jest dla wszystkich klas ten sam, więc softmax go nie widzi. Zostaje warstwa liniowa,
#
# $$\text{logit}_k = \langle w_k, z \rangle + b_k, \qquad w_k = 2 c_k, \qquad b_k = -\lVert c_k \rVert^2,$$
#
# czyli sonda liniowa (ang. *linear probe*) jak w lekcji 01, ale jej wagi *odczytujemy* z przykładów, zamiast je trenować. Wszystko, co nieliniowe, musi więc zrobić enkoder; zapamiętaj to do części o tym, kiedy metoda zawodzi.

# %%
support, query = pixels[episode.support], pixels[episode.query]
by_distance = nearest_prototype(support, episode.support_labels, query).exp()
by_layer = prototype_classifier(class_prototypes(support, episode.support_labels)[0])(query).softmax(1)
print(t("largest difference of a probability: {:.0e}", "największa różnica prawdopodobieństw: {:.0e}").format((by_distance - by_layer).abs().max()))

# %% [markdown] lang="en"
# ## The experiment
#
# The encoder has four blocks (convolution, batch normalisation, ReLU, and the largest of each 2 × 2); from 28 × 28 pixels it makes 32 features. It is trained by episodes that look like the test, but harder: 20 classes, one example each, five queries, 500 episodes in all. Then it meets scripts that it has never seen. Nothing is trained there: support images go in, means come out.
# %% [markdown] lang="pl"
# ## Eksperyment
#
# Enkoder ma cztery bloki (warstwa splotowa, normalizacja wsadowa, ang. *batch normalization*, ReLU i największa liczba z każdych 2 × 2); z 28 × 28 pikseli robi 32 cechy. Trenujemy go epizodami takimi jak w teście, tylko trudniejszymi: 20 klas, po jednym przykładzie, po pięć zapytań, w sumie 500 epizodów. Potem dostaje pisma, których nigdy nie widział. Tam już nic się nie trenuje: wchodzą obrazy ze zbioru wsparcia, wychodzą średnie.

# %% tags=["predict"]
guess = Prediction(
    t("Pixels got about 70 % in 5-way 1-shot on scripts never seen. What will the trained encoder get?", "Piksele dały około 70 % przy 5 klasach po 1 przykładzie z nigdy niewidzianych pism. Ile da wytrenowany enkoder?"),
    low=50, high=100, unit="%",
)
guess

# %%
seed_everything(SEED)
model = PrototypicalNetwork(conv4(32))
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
scheduler = torch.optim.lr_scheduler.PolynomialLR(optimizer, 500)  # falls linearly to 0
for episode in tqdm(EpisodeSampler(known.labels, n_way=20, n_support=1, n_query=5, episodes=500, seed=SEED), leave=False):
    log_p = model(known.images[episode.support], episode.support_labels, known.images[episode.query])
    loss = F.nll_loss(log_p, episode.query_labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    scheduler.step()

# %%
words = {"pixels": t("pixels", "piksele"), "untrained": t("untrained encoder", "niewytrenowany enkoder"),
         "classifier": t("a classifier's features", "cechy klasyfikatora"), "prototypes": t("prototypical network", "sieć prototypowa")}
features = predict(model.encoder, new.images, batch_size=500)
scores[words["prototypes"]] = [accuracy(features, *task) for task in TASKS.values()]
table([(name, *(f"{s.mean:.3f} ± {s.interval:.3f}" for s in row)) for name, row in scores.items()], [t("features", "cechy"), *TASKS])
guess.compare(100 * scores[words["prototypes"]][0].mean)

# %% [markdown] lang="en"
# One example of each of five letters in an unknown script, and nearly every query finds its letter. With twenty classes and one example, where guessing gives 5 %, the gap to the pixels is largest.
#
# What has changed in space? Eight unseen letters, 20 drawers each, drawn in two dimensions by t-SNE (neighbours stay neighbours, the axes mean nothing):
# %% [markdown] lang="pl"
# Po jednym przykładzie pięciu liter nieznanego pisma, a prawie każde zapytanie trafia do swojej litery. Przy dwudziestu klasach po jednym przykładzie, gdzie zgadywanie daje 5 %, przewaga nad pikselami jest największa.
#
# Co zmieniło się w przestrzeni? Osiem nieznanych liter, każda od 20 rysowników, w dwóch wymiarach według t-SNE (sąsiedzi pozostają sąsiadami, osie nic nie znaczą):

# %%
letters = np.random.default_rng(SEED).choice(len(new.names), 8, replace=False)
part = torch.isin(new.labels, torch.tensor(letters))
fig, axes = plt.subplots(1, 2, figsize=(9.5, 4.2))
for ax, z, title in zip(axes, (pixels, features), (words["pixels"], words["prototypes"])):
    places = TSNE(init="pca", perplexity=15, random_state=SEED).fit_transform(z[part].numpy())
    for number, letter in enumerate(letters):
        ax.scatter(*places[new.labels[part] == letter].T, s=60, alpha=0.35, color=plt.cm.tab10(number))
    for place, label in zip(places, new.labels[part].tolist()):
        ax.text(*place, new.names[label], fontsize=8, ha="center", va="center")
    ax.set(title=title, xticks=[], yticks=[])
show(fig, alt=t("Left, pixels: the eight letters lie partly mixed. Right, the trained encoder's features: the letters lie in tight groups apart from each other.",
                "Po lewej piksele: osiem liter jest częściowo wymieszanych. Po prawej cechy wytrenowanego enkodera: litery leżą w zwartych, oddzielnych grupach."))

# %% [markdown] lang="en"
# ### Ten seeds, and two harder tests
#
# The recorded runs add a rival: the same encoder trained as an ordinary **classifier** of all the training letters, on about as many images, its head then thrown away. And two harder tests. In **one script**, all five letters of an episode come from the same script: letters of one alphabet are more alike than those of different ones. And **digits**: MNIST, written by people, while the encoder has never seen a person's writing.
# %% [markdown] lang="pl"
# ### Dziesięć ziaren losowości i dwa trudniejsze sprawdziany
#
# W zapisanych przebiegach dochodzi rywal: ten sam enkoder wytrenowany jako zwykły **klasyfikator** wszystkich liter treningowych, na mniej więcej tylu samo obrazach, któremu potem odcięto głowicę (ang. *head*). I dwa trudniejsze sprawdziany. W **jednym piśmie** wszystkie pięć liter epizodu pochodzi z tego samego pisma: litery jednego alfabetu są do siebie bardziej podobne niż litery różnych. A **cyfry** to MNIST, pisane przez ludzi, podczas gdy enkoder nigdy nie widział ludzkiego pisma.

# %%
record = recorded("few_shot")
measured = record.results["methods"]
ways, shots = measured["ways"], measured["shots"]
grid, harder, digit_scores = ({name: np.array([run[kind] for run in runs]) for name, runs in measured["runs"].items()}
                              for kind in ("scripts", "one script", "digits"))


def cell(name, n, k):
    return grid[name][:, ways.index(n), shots.index(k)]


record.note()
table([(words[name], *(mean_pm(cell(name, *task)) for task in TASKS.values())) for name in words], [t("features", "cechy"), *TASKS])
table([(words[name], *(mean_pm(kind[name][:, column]) for kind in (harder, digit_scores) for column in (0, 1))) for name in words],
      [t("5 classes", "5 klas"), t("one script, K = 1", "jedno pismo, K = 1"), t("one script, K = 5", "jedno pismo, K = 5"), t("digits, K = 1", "cyfry, K = 1"), t("digits, K = 5", "cyfry, K = 5")])

# %% [markdown] lang="en"
# Trained by episodes, the encoder leads in every column. An untrained one is *worse* than the pixels: it throws information away without knowing which. And look at its rival: **a plain classifier's features come close**, and prototypes on top of them beat the pixels by far. That is what Chen et al. 2019 ([arXiv 1904.04232](https://arxiv.org/abs/1904.04232)) found on photographs: much of what is said to be learned by episodes, a good representation brings along. The gap is larger where the test is harder, with twenty classes and on the digits.
#
# Within one script everything gets harder, and mixed scripts flatter every method; always ask which of the two was measured. (In such a test, 20-way 1-shot within one alphabet of Omniglot, people made 4.5 % errors: Lake et al. 2015.) And on the digits an encoder that never saw handwriting knows about four of five from one example.
#
# **What the paper reports** (Snell et al. 2017, table 1, Omniglot): 98.8 % and 99.7 % in 5-way 1- and 5-shot, 96.0 % and 98.9 % in 20-way. Their encoder has 64 channels, not 32, and was trained much longer, with 60 classes in an episode, on 1,200 characters, each also rotated by 90, 180 and 270 degrees as a class of its own. They found that *more* classes in training than in the test help, and the same number of shots.
#
# What matters more, images or classes? As many images in training each time, but of 20 to 949 letters (five seeds):
# %% [markdown] lang="pl"
# Enkoder trenowany epizodami prowadzi w każdej kolumnie. Niewytrenowany jest *gorszy* od pikseli: wyrzuca informację, nie wiedząc którą. A teraz spójrz na rywala: **cechy zwykłego klasyfikatora są niewiele gorsze**, a prototypy na nich są o wiele lepsze niż na pikselach. To samo na fotografiach stwierdzili Chen i in. 2019 ([arXiv 1904.04232](https://arxiv.org/abs/1904.04232)): wiele z tego, co przypisuje się epizodom, daje już dobra reprezentacja. Różnica rośnie tam, gdzie sprawdzian jest trudniejszy: przy dwudziestu klasach i na cyfrach.
#
# W jednym piśmie wszystkim jest trudniej, a wymieszane pisma schlebiają każdej metodzie; zawsze pytaj, który wariant zmierzono. (W takim sprawdzianie, 20 klas po 1 przykładzie z jednego alfabetu Omniglota, ludzie mylili się w 4,5 % przypadków: Lake i in. 2015.) A na cyfrach enkoder, który nigdy nie widział pisma ręcznego, po jednym przykładzie rozpoznaje mniej więcej cztery z pięciu.
#
# **Co podaje artykuł** (Snell i in. 2017, tabela 1, Omniglot): 98,8 % i 99,7 % przy 5 klasach po 1 i po 5 przykładów, 96,0 % i 98,9 % przy 20 klasach. Ich enkoder ma 64 kanały, a nie 32, i był trenowany znacznie dłużej, z 60 klasami w epizodzie, na 1200 znakach, z których każdy obrócony o 90, 180 i 270 stopni był osobną klasą. Stwierdzili, że pomaga *więcej* klas w treningu niż w teście i tyle samo przykładów.
#
# Co jest ważniejsze, obrazy czy klasy? Za każdym razem tyle samo obrazów w treningu, ale od 20 do 949 liter (pięć ziaren):

# %%
number = record.results["characters"]
fig, ax = plt.subplots(figsize=(7, 3.2))
band(ax, number["characters"], np.transpose(number["accuracy"]), words["prototypes"], "blue", marker="o")
ax.axhline(cell("pixels", 5, 1).mean(), linestyle=":", color="black", label=words["pixels"])
ax.set(xscale="log", xticks=number["characters"], xticklabels=number["characters"], ylim=(0.6, 1),
       xlabel=t("letters in training", "liczba liter w treningu"), ylabel=t("accuracy, 5-way 1-shot", "dokładność, 5 klas po 1"))
ax.minorticks_off()
ax.legend(loc="lower right")
show(fig, alt=t("Accuracy against the number of training letters: it rises steadily from 20 letters to 949, always above the pixels.",
                "Dokładność w zależności od liczby liter w treningu: rośnie stale od 20 liter do 949, zawsze powyżej pikseli."))

# %% [markdown] lang="en"
# What generalises to new classes is learned from *many classes*, not from many images of a few. For the encoder a class is what an image is for a classifier: one example.
#
# ### Explore
#
# First the space itself. Three classes in a plane, round support points, crosses for their prototypes, and the region that each prototype claims. Move one point of the first class, and change $K$ and the distance. How far can one odd example drag a region when $K = 1$, and how far when $K = 5$? What do the borders look like for each distance?
# %% [markdown] lang="pl"
# To, co przenosi się na nowe klasy, bierze się z *wielu klas*, a nie z wielu obrazów kilku klas. Dla enkodera klasa jest tym, czym dla klasyfikatora obraz: jednym przykładem.
#
# ### Zbadaj
#
# Najpierw sama przestrzeń. Trzy klasy na płaszczyźnie: kółka to zbiór wsparcia, krzyżyki to prototypy, a kolory to obszary, które do nich należą. Przesuwaj jeden punkt pierwszej klasy, zmieniaj $K$ i odległość. Jak daleko jeden nietypowy przykład przeciągnie granice przy $K = 1$, a jak daleko przy $K = 5$? Jak wyglądają granice dla każdej z odległości?

# %% tags=["widget"]
axis = torch.linspace(-4, 4, 121)
plane = torch.cartesian_prod(axis, axis)
clouds = torch.tensor([[-1.5, 1.0], [1.5, 1.5], [0.5, -2.0]])[:, None] + 0.5 * torch.randn(3, 5, 2, generator=torch.Generator().manual_seed(SEED))
measures = {t("Euclidean, squared", "euklidesowa, kwadrat"): "euclidean", t("cosine", "cosinusowa"): "cosine"}


def draw(x, y, shots, distance):
    chosen = clouds[:, :shots].clone()
    chosen[0, 0] = torch.tensor([x, y])
    prototypes = chosen.mean(1)
    regions = DISTANCES[measures[distance]](plane, prototypes).argmin(1).view(121, 121).T
    fig, ax = plt.subplots(figsize=(5, 4.6))
    colours = [palette(name) for name in ("blue", "orange", "green")]
    ax.contourf(axis, axis, regions, levels=[-0.5, 0.5, 1.5, 2.5], colors=colours, alpha=0.25)
    for points, prototype, colour in zip(chosen, prototypes, colours):
        ax.plot(*points.T, "o", color=colour, markersize=7)
        ax.plot(*prototype, "X", color=colour, markersize=14, markeredgecolor="black")
    ax.set(xlim=(-4, 4), ylim=(-4, 4), aspect="equal", xlabel=t("feature 1", "cecha 1"), ylabel=t("feature 2", "cecha 2"))
    share = (regions == 0).float().mean()
    return fig, t(f"K = {shots}, {distance} distance: the first class claims {share:.0%} of the plane.",
                  f"K = {shots}, odległość {distance}: do pierwszej klasy należy {100 * share:.0f} % płaszczyzny.")


plane_explorer = explore(draw, x=(-4.0, 4.0, 0.5), y=(-4.0, 4.0, 0.5), shots=[1, 2, 5], distance=list(measures),
                         labels={"x": "x", "y": "y", "shots": "K", "distance": t("distance", "odległość")})
plane_explorer

# %% [markdown] lang="en"
# With the squared distance the borders are straight lines, as for every linear classifier; with the cosine they are rays from the origin, for it looks at directions only.
#
# Now the measured accuracy, over ten seeds, for every $N$ and $K$. Where do five examples make up for the lack of training?
# %% [markdown] lang="pl"
# Przy kwadracie odległości granice są prostymi, jak w każdym klasyfikatorze liniowym; przy cosinusie to półproste z początku układu, bo liczy się tylko kierunek.
#
# Teraz zmierzona dokładność, z dziesięciu ziaren, dla każdego $N$ i $K$. Gdzie pięć przykładów nadrabia brak treningu?

# %% tags=["widget"]
looks = {"prototypes": ("blue", "o"), "classifier": ("orange", "s"), "pixels": ("grey", "^"), "untrained": ("red", "v")}


def draw_measured(n, k):
    fig, ax = plt.subplots(figsize=(7, 3.6))
    for name, (colour, mark) in looks.items():
        band(ax, shots, grid[name][:, ways.index(n)], words[name], colour, marker=mark)
    ax.axhline(1 / n, linestyle=":", color="black", label=t("guessing", "zgadywanie"))
    ax.axvline(k, color="black", linewidth=0.8)
    ax.set(xlabel=t("K, examples of each class", "K, liczba przykładów każdej klasy"), ylabel=t("accuracy"), ylim=(0, 1.02), xticks=shots)
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    values = "; ".join(f"{words[name]} {cell(name, n, k).mean():.2f}" for name in looks)
    ax.set_title(f"N = {n}, K = {k}")
    return fig, t(f"N = {n}, K = {k}, accuracy: {values}.", f"N = {n}, K = {k}, dokładność: {values}.")


explorer = explore(draw_measured, n=ways, k=shots, labels={"n": "N", "k": "K"})
explorer

# %% [markdown] lang="en"
# ## When it fails
#
# One prototype stands for one cloud of points. What if a class is not one cloud? *Even* and *odd* digits are perfectly sensible classes, but the even ones are five clouds, and their mean lies somewhere in the middle, perhaps nearest to a cloud of the odd ones. As the classifier is linear in the features, no number of examples can mend that. The rule of the **nearest neighbour**, which compares with every support example and forms no mean, needs no such luck.
# %% [markdown] lang="pl"
# ## Kiedy to zawodzi
#
# Jeden prototyp zastępuje jedną chmurę punktów. A jeśli klasa nie jest jedną chmurą? Cyfry *parzyste* i *nieparzyste* to zupełnie rozsądne klasy, ale parzyste tworzą pięć chmur, a ich średnia leży gdzieś pośrodku, może najbliżej którejś chmury nieparzystych. Klasyfikator jest liniowy względem cech, więc żadna liczba przykładów tego nie naprawi. Zasada **najbliższego sąsiada**, która porównuje z każdym przykładem wsparcia i nie liczy średnich, nie potrzebuje takiego szczęścia.

# %% tags=["predict"]
guess = Prediction(
    t("Even or odd, with 30 examples of each: what is better?", "Parzysta czy nieparzysta, po 30 przykładów: co jest lepsze?"),
    [t("prototypes, by 5 points or more", "prototypy, o co najmniej 5 pkt proc."), t("about equal", "mniej więcej remis"), t("the nearest neighbour, by 5 points or more", "najbliższy sąsiad, o co najmniej 5 pkt proc.")],
)
guess

# %%
def nearest_neighbour(support, labels, query):
    nearest = squared_euclidean_distance(query, support).argmin(1)
    return F.one_hot(labels[nearest], int(labels.max()) + 1)


digits, digit_labels = load_mnist()
digit_features = predict(model.encoder, digits, batch_size=500)
rules = {t("prototypes", "prototypy"): nearest_prototype, t("nearest neighbour", "najbliższy sąsiad"): nearest_neighbour}
examples = [1, 5, 10, 30]


def curve(rule, labels, n_way):
    samplers = (EpisodeSampler(labels, n_way, k, n_query=10, episodes=300, seed=SEED) for k in examples)
    return [evaluate_episodes(rule, digit_features, sampler).mean for sampler in samplers]


tasks = {t("which of five digits?", "która z pięciu cyfr?"): (digit_labels, 5), t("even or odd?", "parzysta czy nieparzysta?"): (digit_labels % 2, 2)}
curves = {task: {name: curve(rule, *given) for name, rule in rules.items()} for task, given in tasks.items()}
gap = np.subtract(*(curves[list(tasks)[1]][name][-1] for name in rules))
guess.compare(0 if gap >= 0.05 else 2 if gap <= -0.05 else 1)

# %%
fig, axes = plt.subplots(1, 2, figsize=(9, 3.3), sharey=True)
for ax, (task, (_, n_way)) in zip(axes, tasks.items()):
    for (name, values), colour, mark in zip(curves[task].items(), ("blue", "orange"), "os"):
        ax.plot(examples, values, marker=mark, color=palette(colour), label=name)
    ax.axhline(1 / n_way, linestyle=":", color="black", label=t("guessing", "zgadywanie"))
    ax.set(title=task, xscale="log", xticks=examples, xticklabels=examples, xlabel=t("K, examples of each class", "K, liczba przykładów każdej klasy"), ylim=(0, 1.02))
    ax.minorticks_off()
axes[0].set_ylabel(t("accuracy on digits", "dokładność na cyfrach"))
axes[0].legend(loc="center right")
show(fig, alt=t("Left, which of five digits: prototypes and nearest neighbour rise together. Right, even or odd: as the examples grow, prototypes fall behind the nearest neighbour.",
                "Po lewej rozpoznawanie jednej z pięciu cyfr: prototypy i najbliższy sąsiad rosną razem. Po prawej parzysta czy nieparzysta: gdy przykładów przybywa, prototypy zostają w tyle za najbliższym sąsiadem."))

# %% [markdown] lang="en"
# The features are the same, the digits are the same; only the classes have changed. Where a class is one cloud (left), prototypes are as good as the neighbours up to ten examples. Where it is several (right), they stall, and the neighbour keeps rising. Several prototypes for a class would help, too (Allen et al. 2019, [arXiv 1902.04552](https://arxiv.org/abs/1902.04552)). Before you average, ask: is my class one thing?
#
# ## In robotics
#
# A robot meets objects that nobody trained it on: in a flat it must learn *this* cup from a few views, on a line *this* defect. FewSOL (Jishnu Jaykumar P et al. 2022, [arXiv 2207.03333](https://arxiv.org/abs/2207.03333)) collects such tasks: 336 real objects with nine views each, and the authors find that few-shot methods still leave much to be wished for there.
#
# Now the circuit boards of lesson 01. We train nothing at all: the encoder is the network with ImageNet weights, frozen, and prototypes stand on its features. Six classes (good, and five defects), $K$ boards of each; beside it the pixels, and a trained linear probe on the same features.
# %% [markdown] lang="pl"
# Cechy są te same, cyfry też; zmieniły się tylko klasy. Gdzie klasa jest jedną chmurą (po lewej), prototypy do dziesięciu przykładów nie ustępują sąsiadom. Gdzie jest kilkoma (po prawej), stają w miejscu, a najbliższy sąsiad rośnie dalej. Pomogłoby też kilka prototypów na klasę (Allen i in. 2019, [arXiv 1902.04552](https://arxiv.org/abs/1902.04552)). Zanim policzysz średnią, zapytaj: czy moja klasa to jedna rzecz?
#
# ## W robotyce
#
# Robot spotyka przedmioty, na których nikt go nie trenował: w mieszkaniu musi poznać *ten* kubek z kilku widoków, na linii *tę* usterkę. FewSOL (Jishnu Jaykumar P i in. 2022, [arXiv 2207.03333](https://arxiv.org/abs/2207.03333)) zbiera takie zadania: 336 prawdziwych przedmiotów po dziewięć widoków, a autorzy stwierdzają, że metodom uczenia na kilku przykładach wiele tam jeszcze brakuje.
#
# Teraz płytki drukowane z lekcji 01. Nie trenujemy niczego: enkoderem jest zamrożona sieć z wagami z ImageNet, a prototypy stoją na jej cechach. Sześć klas (dobra płytka i pięć usterek), po $K$ płytek; obok piksele i wytrenowana sonda liniowa na tych samych cechach.

# %%
boards, defects = make_boards(180, seed=SEED)
extracted = FeatureExtractor().extract_features(boards)
inspected = {}
for name, z, rule, episodes in (
    (t("pixels, prototypes", "piksele, prototypy"), boards.flatten(1) / 255, nearest_prototype, 300),
    (t("ImageNet, prototypes", "ImageNet, prototypy"), extracted, nearest_prototype, 300),
    (t("ImageNet, linear probe", "ImageNet, sonda liniowa"), extracted, lambda z, y, q: linear_probe(z, y)(q), 30),
):
    samplers = [EpisodeSampler(defects, len(CLASSES), k, n_query=10, episodes=episodes, seed=SEED) for k in (1, 5, 10)]
    inspected[name] = [evaluate_episodes(rule, z, sampler) for sampler in samplers]
table([(name, *(f"{s.mean:.2f} ± {s.interval:.2f}" for s in row)) for name, row in inspected.items()],
      [t("6 classes of boards", "6 klas płytek"), *(f"K = {k}" for k in (1, 5, 10))])

# %% [markdown] lang="en"
# With pixels one can as well guess (1/6). Features that come from photographs of dogs and cups lift it to about three times that with five boards of each class: no product for the line yet, but a first sorting, made without a training step, minutes after the defect was first seen. And it is level with a probe whose weights are trained, or ahead of it. (The interval is over the draw of episodes from the same 180 boards.)
#
# ## Exercises
#
# **1. An episode by hand.** `support` (N, K, D) has the features of the support set, class by class, `query` (M, D) those of the queries. Return the log-probabilities (M, N) of a prototypical network with the squared Euclidean distance.
# %% [markdown] lang="pl"
# Z pikselami równie dobrze można zgadywać (1/6). Cechy, które wzięły się ze zdjęć psów i kubków, dają przy pięciu płytkach na klasę mniej więcej trzy razy tyle: to jeszcze nie produkt na linię, ale wstępne sortowanie, bez jednego kroku treningu, kilka minut po pierwszej takiej usterce. I nie gorsze od sondy, której wagi się trenuje, albo lepsze. (Przedział dotyczy losowania epizodów z tych samych 180 płytek.)
#
# ## Ćwiczenia
#
# **1. Epizod własnoręcznie.** `support` (N, K, D) to cechy zbioru wsparcia, klasa po klasie, `query` (M, D) to cechy zapytań. Zwróć logarytmy prawdopodobieństw (M, N) sieci prototypowej z kwadratem odległości euklidesowej.

# %% tags=["exercise"]
def episode_log_probabilities(support, query):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# The prototypes are `support.mean(1)`: the mean over the shots, (N, D). `torch.cdist(query, prototypes)` gives the distances (M, N), not squared. Then `log_softmax` over the classes.
# %% [markdown] lang="pl" tags=["hint"]
# Prototypy to `support.mean(1)`: średnia po przykładach, (N, D). `torch.cdist(query, prototypes)` daje odległości (M, N), nie ich kwadraty. Potem `log_softmax` po klasach.

# %% tags=["check"]
check("episode_log_probabilities", episode_log_probabilities)


# %% tags=["solution"]
def episode_log_probabilities(support, query):
    prototypes = support.mean(1)
    return (-torch.cdist(query, prototypes).square()).log_softmax(1)


# %% [markdown] lang="en"
# **2. The classifier in disguise.** From `prototypes` (N, D) make the `weight` (N, D) and the `bias` (N,) of a linear layer whose softmax equals that of the prototypes, for every $z$. Return both.
# %% [markdown] lang="pl"
# **2. Klasyfikator w przebraniu.** Z prototypów `prototypes` (N, D) zrób wagi `weight` (N, D) i przesunięcia `bias` (N,) warstwy liniowej, której softmax jest dla każdego $z$ taki sam jak dla prototypów. Zwróć jedno i drugie.

# %% tags=["exercise"]
def linear_classifier(prototypes):
    weight = ...
    bias = ...
    return weight, bias


# %% [markdown] lang="en" tags=["hint"]
# Expand $-\lVert z - c_k \rVert^2$ as above and drop what does not depend on $k$. `prototypes.square().sum(1)` is $\lVert c_k \rVert^2$.
# %% [markdown] lang="pl" tags=["hint"]
# Rozwiń $-\lVert z - c_k \rVert^2$ jak wyżej i opuść to, co nie zależy od $k$. `prototypes.square().sum(1)` to $\lVert c_k \rVert^2$.

# %% tags=["check"]
check("linear_classifier", linear_classifier)


# %% tags=["solution"]
def linear_classifier(prototypes):
    weight = 2 * prototypes
    bias = -prototypes.square().sum(1)
    return weight, bias


# %% [markdown] lang="en"
# ## Quiz
# %% [markdown] lang="pl"
# ## Quiz

# %% tags=["quiz"]
quiz(
    Quiz(
        t("Your class has three support examples, one of them mislabelled. What happens to the prototype?", "Klasa ma trzy przykłady wsparcia, jeden ze złą etykietą. Co dzieje się z prototypem?"),
        [
            (t("Nothing, the two others outvote it.", "Nic, dwa pozostałe go przegłosują."), False,
             t("A mean does not vote: every example moves it.", "Średnia nie głosuje: przesuwa ją każdy przykład.")),
            (t("It moves a third of the way towards that example.", "Przesuwa się o jedną trzecią drogi w stronę tego przykładu."), True,
             t("Yes. A geometric median would move less, but it fits no Bregman divergence.", "Tak. Mediana geometryczna przesunęłaby się mniej, ale nie pasuje do żadnej dywergencji Bregmana.")),
            (t("The network must be trained again.", "Sieć trzeba wytrenować na nowo."), False,
             t("Nothing is trained for new classes; take the example out and average again.", "Dla nowych klas nic się nie trenuje; usuń przykład i policz średnią na nowo.")),
        ],
    ),
    Quiz(
        t("You have 20,000 images for training. Which are the best for learning new classes?", "Masz 20 000 obrazów do treningu. Które są najlepsze do uczenia nowych klas?"),
        [
            (t("10,000 images of each of two classes.", "Po 10 000 obrazów dwóch klas."), False,
             t("The encoder would learn what separates these two, and little else.", "Enkoder nauczy się, co odróżnia te dwie klasy, i niewiele więcej.")),
            (t("20 images of each of 1,000 classes.", "Po 20 obrazów 1000 klas."), True,
             t("Yes: for the encoder, classes are the examples.", "Tak: dla enkodera przykładami są klasy.")),
            (t("It makes no difference.", "To bez różnicy."), False,
             t("The figure over 20 to 949 letters shows that it does.", "Wykres dla 20 do 949 liter pokazuje, że różnica jest duża.")),
        ],
    ),
    Quiz(
        t("A paper reports 99 % in 5-way 1-shot, yours gets 94 % within one script. What do you conclude?", "Artykuł podaje 99 % przy 5 klasach po 1, twoja sieć ma 94 % w jednym piśmie. Co z tego wynika?"),
        [
            (t("Yours is worse.", "Twoja jest gorsza."), False,
             t("Perhaps it is, but these numbers do not tell.", "Być może, ale z tych liczb to nie wynika.")),
            (t("Nothing yet: ask from where their classes were drawn.", "Jeszcze nic: zapytaj, skąd losowali klasy."), True,
             t("Yes. Classes mixed from many scripts are easier to tell apart.", "Tak. Klasy wymieszane z wielu pism łatwiej odróżnić.")),
            (t("You need more episodes.", "Trzeba więcej epizodów."), False,
             t("More episodes make the interval narrower, not the task easier.", "Więcej epizodów zwęża przedział, a nie ułatwia zadania.")),
        ],
    ),
    Quiz(
        t("Scratches on your boards come in two kinds that look nothing alike. What do you do?", "Rysy na płytkach są dwojakie i zupełnie do siebie niepodobne. Co robisz?"),
        [
            (t("Take more examples; the mean will settle.", "Biorę więcej przykładów; średnia się ustali."), False,
             t("It settles, but between the two clouds.", "Ustali się, ale między dwiema chmurami.")),
            (t("Two classes, two prototypes; afterwards both are called a scratch.", "Dwie klasy i dwa prototypy; potem obie nazywam rysą."), True,
             t("Yes: one prototype for one cloud.", "Tak: jeden prototyp na jedną chmurę.")),
            (t("Use the cosine distance.", "Używam odległości cosinusowej."), False,
             t("It also averages; the mean of two directions points at neither.", "Tu też jest średnia, a średnia dwóch kierunków nie wskazuje żadnego z nich.")),
        ],
    ),
)

# %% [markdown] lang="en"
# ## What we saw
#
# - An episode is a small task with a support set and a query set; a result is a mean over hundreds, with its interval.
# - A prototypical network compares with class means; the mean is the best representative for every Bregman divergence.
# - It is a linear classifier whose weights are read off the examples.
# - Trained on letters of five scripts, it learns those of ten others from one example; many classes in training matter, and a plain classifier's features come close.
# - Within one script and on handwriting it is harder. Where a class is several clouds, its mean stands for none of them.
#
# The numbers of this run and of the recorded ones have to bear this out:
# %% [markdown] lang="pl"
# ## Podsumowanie
#
# - Epizod to małe zadanie ze zbiorem wsparcia i zbiorem zapytań; wynik to średnia z setek epizodów, razem z przedziałem.
# - Sieć prototypowa porównuje ze średnimi klas; średnia jest najlepszym przedstawicielem dla każdej dywergencji Bregmana.
# - To klasyfikator liniowy, którego wagi odczytuje się z przykładów.
# - Wytrenowana na literach pięciu pism, z jednego przykładu uczy się liter dziesięciu innych; liczy się wiele klas w treningu, a cechy zwykłego klasyfikatora są niewiele gorsze.
# - W jednym piśmie i na cyfrach pisanych ręcznie jest trudniej. Gdzie klasa jest kilkoma chmurami, jej średnia nie zastępuje żadnej z nich.
#
# Liczby z tego uruchomienia i z zapisanych przebiegów muszą to potwierdzać:

# %% tags=["claim"]
ours, plain = scores[words["prototypes"]], scores[words["pixels"]]
claim(t("Scripts never seen, 5-way 1-shot, this run", "Pisma nigdy niewidziane, 5 klas po 1, to uruchomienie"), ours[0].mean, at_least=0.93)
claim(t("The same: lead over the pixels", "To samo: przewaga nad pikselami"), ours[0].mean - plain[0].mean, at_least=0.18)
claim(t("20-way 1-shot: lead over the pixels", "20 klas po 1: przewaga nad pikselami"), ours[2].mean - plain[2].mean, at_least=0.28)
claim(t("Pixels above the untrained encoder, 5-way 1-shot, recorded mean", "Przewaga pikseli nad niewytrenowanym enkoderem, 5 klas po 1, zapisana średnia"), (cell("pixels", 5, 1) - cell("untrained", 5, 1)).mean(), at_least=0.08)
claim(t("From the best point to the mean, Bregman divergences", "Od najlepszego punktu do średniej, dywergencje Bregmana"), max(list(offsets.values())[:2]), at_most=1e-4)
claim(t("The same without the square", "To samo bez kwadratu"), list(offsets.values())[2], at_least=1e-3)
claim(t("Largest difference to the linear classifier", "Największa różnica wobec klasyfikatora liniowego"), (by_distance - by_layer).abs().max().item(), at_most=1e-4)
lead = {task: (cell("prototypes", *task) - cell("classifier", *task)).mean() for task in TASKS.values()}
claim(t("Lead of episodes over a classifier's features, 20-way 1-shot, recorded mean", "Przewaga epizodów nad cechami klasyfikatora, 20 klas po 1, zapisana średnia"), lead[20, 1], at_least=0.01)
claim(t("The same, 5-way 1-shot: they come close", "To samo, 5 klas po 1: niewiele"), lead[5, 1], at_most=0.03)
claim(t("Smallest recorded lead of a classifier's features over pixels, 5-way 1-shot", "Najmniejsza zapisana przewaga cech klasyfikatora nad pikselami, 5 klas po 1"), (cell("classifier", 5, 1) - cell("pixels", 5, 1)).min(), at_least=0.15)
claim(t("What one script costs, 5-way 1-shot, recorded mean", "Ile kosztuje jedno pismo, 5 klas po 1, zapisana średnia"), (cell("prototypes", 5, 1) - harder["prototypes"][:, 0]).mean(), at_least=0.02)
claim(t("Digits, 5-way 1-shot: lead over pixels, recorded mean", "Cyfry, 5 klas po 1: przewaga nad pikselami, zapisana średnia"), (digit_scores["prototypes"] - digit_scores["pixels"])[:, 0].mean(), at_least=0.15)
by_number = np.mean(number["accuracy"], 1)
claim(t("What 949 letters add to 50, recorded mean", "Ile 949 liter dodaje do 50, zapisana średnia"), by_number[-1] - by_number[1], at_least=0.03)
claim(t("Even or odd, K = 30: the nearest neighbour's lead, this run", "Parzysta czy nieparzysta, K = 30: przewaga najbliższego sąsiada, to uruchomienie"), -gap, at_least=0.05)
claim(t("Boards, K = 5: lead of ImageNet's features over pixels", "Płytki, K = 5: przewaga cech z ImageNet nad pikselami"), (rows := list(inspected.values()))[1][1].mean - rows[0][1].mean, at_least=0.15)

# %% [markdown] lang="en"
# ## Where to go next
#
# - Snell et al. 2017, *Prototypical Networks for Few-shot Learning*, [arXiv 1703.05175](https://arxiv.org/abs/1703.05175)
# - Vinyals et al. 2016, *Matching Networks for One Shot Learning*, [arXiv 1606.04080](https://arxiv.org/abs/1606.04080): where episodes come from
# - Lake et al. 2015, *Human-level concept learning through probabilistic program induction*, Science 350: Omniglot
# - Chen et al. 2019, *A Closer Look at Few-shot Classification*, [arXiv 1904.04232](https://arxiv.org/abs/1904.04232)
# - Banerjee et al. 2005, *Clustering with Bregman Divergences*, JMLR 6
#
# Here the encoder stays as it is when new classes come. [Lesson 09](09_maml.ipynb) lets the whole network adapt, from a start that was learned for it.
# %% [markdown] lang="pl"
# ## Co dalej
#
# - Snell i in. 2017, *Prototypical Networks for Few-shot Learning*, [arXiv 1703.05175](https://arxiv.org/abs/1703.05175)
# - Vinyals i in. 2016, *Matching Networks for One Shot Learning*, [arXiv 1606.04080](https://arxiv.org/abs/1606.04080): stąd pochodzą epizody
# - Lake i in. 2015, *Human-level concept learning through probabilistic program induction*, Science 350: Omniglot
# - Chen i in. 2019, *A Closer Look at Few-shot Classification*, [arXiv 1904.04232](https://arxiv.org/abs/1904.04232)
# - Banerjee i in. 2005, *Clustering with Bregman Divergences*, JMLR 6
#
# Tutaj enkoder nie zmienia się, gdy przychodzą nowe klasy. W [lekcji 09](09_maml.ipynb) dostraja się cała sieć, od punktu startu, którego się w tym celu nauczyła.
