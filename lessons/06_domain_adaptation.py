# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   tlcourse:
#     title: {en: Domain adaptation, pl: Adaptacja domeny}
#     minutes: 60
#     seconds: 52
#     prerequisites: ["01_feature_extraction"]
# ---

# %% [markdown] lang="en"
# # Domain adaptation
#
# Labels are cheap in one place and missing in another: a simulator labels its own pictures, a robot's camera does not. Here you carry a classifier across such a gap without a single label on the far side.
#
# **After this lesson you will be able to**
#
# - bound the error in an unlabelled domain by three terms, and estimate each of them,
# - write gradient reversal, and say why a minus sign on the loss is something else,
# - align two domains by DANN, CORAL, MMD or their normalisation statistics, and compare them fairly,
# - choose a setting without labels of the target,
# - prove when alignment must fail, and see it fail.
#
# **You need**: [lesson 01](01_feature_extraction.ipynb), batch normalisation from [lesson 02](02_fine_tuning.ipynb). **Time**: about an hour; the code runs in
# just under a minute. New words are explained in the glossary of [lesson 00](00_start.ipynb).
# %% [markdown] lang="pl"
# # Adaptacja domeny
#
# W jednym miejscu etykiety są tanie, w innym nie ma ich wcale: symulator sam etykietuje swoje obrazy, kamera robota nie. Tutaj przeniesiesz klasyfikator na drugą stronę takiej luki, nie mając tam ani jednej etykiety.
#
# **Po tej lekcji będziesz umieć**
#
# - oszacować z góry błąd w domenie bez etykiet sumą trzech składników i wyznaczyć każdy z nich,
# - zapisać odwracanie gradientu i powiedzieć, dlaczego sam minus przed stratą to coś innego,
# - dopasować do siebie dwie domeny za pomocą DANN, CORAL, MMD albo statystyk normalizacji i uczciwie porównać te metody,
# - dobrać ustawienia bez etykiet domeny docelowej,
# - udowodnić, kiedy dopasowanie domen musi zawieść, i zobaczyć, jak zawodzi.
#
# **Co trzeba umieć**: [lekcja 01](01_feature_extraction.ipynb), normalizacja wsadowa (ang. *batch normalization*) z [lekcji 02](02_fine_tuning.ipynb). **Czas**: około godziny; kod wykonuje się
# niecałą minutę. Nowe słowa wyjaśnia słowniczek w [lekcji 00](00_start.ipynb).

# %% tags=["setup"]
from tlcourse.classroom import start_lesson, t

start_lesson("06_domain_adaptation", lang="en")

# %% tags=["imports"]
import copy

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from sklearn.manifold import TSNE
from torch import nn

from tlcourse.classroom import (
    Prediction, Quiz, band, check, claim, explore, image_grid, mean_pm, palette, quiz, recorded, show, show_source, table,
)
from tlcourse.data.digits import digit_domains
from tlcourse.domain_adaptation import (
    DomainAdaptationModel, GradientReversal, ReverseGradient, adaptation_strength, adaptive_batch_norm, coral_loss, domain_adversarial_loss,
    mmd_loss, proxy_a_distance, train_adaptation,
)
from tlcourse.feature_extraction import linear_probe
from tlcourse.networks import digit_encoder
from tlcourse.runtime import seed_everything
from tlcourse.training import evaluate, fit, predict

SEED = 0

# %% [markdown] lang="en"
# ## The idea
#
# Orchestras audition players behind a screen. The jury hears the music and nothing else: not who plays, not how they look. Whatever it decides, it can only decide by the music, so it decides alike for players of every kind.
#
# Domain adaptation builds such a screen inside a network. Behind it are pictures of two **domains**: a *source* with labels and a *target* without. In front of it, where the jury sits, only **features** arrive, and a classifier judges by them. If nobody in front of the screen can tell which domain a picture came from, then a classifier that is right on the source has a chance of being right on the target, too.
#
# A chance, no more: a screen that lets no music through would also hide who plays. What is needed is a screen that hides the domain *and* keeps what the task needs. Both can be trained.
#
# Two gaps. **MNIST-M** comes from the DANN paper (Ganin et al. 2016, [arXiv 1505.07818](https://arxiv.org/abs/1505.07818)): a digit is laid over a piece of a photograph as $|\text{patch} - \text{digit}|$, in each colour channel. The paper cut its pieces from the photographs of BSDS500; ours come from those that scikit-image ships. The other gap leads from **print** (21 typefaces) **to handwriting**. The classes are the same in both domains, but no picture is in both.
#
# How large is the first gap for a network that has seen the source only? It is a small one: two convolutions and a dense layer, each with batch normalisation and ReLU, make 100 features, and a linear head stands on them. It is trained by Adam at a rate that falls to zero.
# %% [markdown] lang="pl"
# ## Pomysł
#
# Na przesłuchaniach do orkiestry muzycy grają za parawanem. Jury słyszy muzykę i nic więcej: nie wie, kto gra ani jak wygląda. Cokolwiek postanowi, może to postanowić tylko na podstawie muzyki, więc wszystkich ocenia jednakowo.
#
# Adaptacja domeny (ang. *domain adaptation*) ustawia taki parawan wewnątrz sieci. Za nim są obrazy z dwóch **domen**: *źródłowej*, z etykietami, i *docelowej*, bez etykiet. Przed parawan, tam gdzie siedzi jury, docierają tylko **cechy**, i na ich podstawie decyduje klasyfikator. Jeśli przed parawanem nikt nie pozna, z której domeny pochodzi obraz, to klasyfikator, który ma rację w źródle, ma szansę mieć ją także w celu.
#
# Tylko szansę: parawan, który nie przepuszcza muzyki, też ukrywa, kto gra. Potrzebny jest taki, który zasłania domenę *i* przepuszcza to, czego wymaga zadanie. Jednego i drugiego można nauczyć sieć.
#
# Dwie luki. **MNIST-M** pochodzi z artykułu o DANN (Ganin i in. 2016, [arXiv 1505.07818](https://arxiv.org/abs/1505.07818)): cyfrę nakłada się na kawałek zdjęcia jako $|\text{wycinek} - \text{cyfra}|$, w każdym kolorze osobno. W artykule wycinki pochodziły ze zdjęć BSDS500, u nas ze zdjęć dołączonych do scikit-image. Druga luka prowadzi **od druku** (21 krojów pisma) **do cyfr pisanych ręcznie**. Klasy są w obu domenach te same, ale żaden obraz nie trafia do obu.
#
# Jak duża jest pierwsza luka dla sieci, która widziała tylko źródło? Sieć jest mała: dwie warstwy splotowe i gęsta, za każdą normalizacja wsadowa i ReLU, razem 100 cech, a na nich liniowa głowica (ang. *head*). Trenuje ją Adam ze współczynnikiem uczenia (ang. *learning rate*) malejącym do zera.

# %%
GAPS = "MNIST to MNIST-M", "printed to handwritten"
gaps = {name: digit_domains(name, seed=SEED) for name in GAPS}
rows = [gaps[gap][part][0][first : first + 10].expand(-1, 3, -1, -1) for gap, first in zip(GAPS, (0, 10)) for part in ("source", "target")]
names = t("MNIST (source)", "MNIST (źródło)"), t("MNIST-M (target)", "MNIST-M (cel)"), t("printed (source)", "druk (źródło)"), t("handwritten (target)", "pismo (cel)")
fig = image_grid(torch.cat(rows), rows=4, row_names=names, size=0.75)
show(fig, alt=t("Four rows of ten digits: white on black; the same kind blended with photographs; printed; handwritten.",
                "Cztery rzędy po dziesięć cyfr: białe na czarnym; takie same wtopione w zdjęcia; drukowane; pisane ręcznie."))

# %%
domains = gaps[GAPS[0]]
source, source_test = (tuple(part[piece] for part in domains["source"]) for piece in (slice(2000), slice(2000, None)))
(target, target_labels), test = domains["target"], domains["test"]


def new_model(channels=3):
    seed_everything(SEED)
    domain_classifier = nn.Sequential(nn.Linear(100, 200), nn.ReLU(), nn.Linear(200, 200), nn.ReLU(), nn.Linear(200, 1))
    return DomainAdaptationModel(digit_encoder(channels), nn.Linear(100, 10), domain_classifier)


def classifier_of(model):
    return nn.Sequential(model.feature_extractor, model.task_classifier)


def train_plainly(data, epochs):
    classifier = classifier_of(new_model(data[0].shape[1]))
    optimizer = torch.optim.Adam(classifier.parameters(), 5e-3, betas=(0.5, 0.999))
    scheduler = torch.optim.lr_scheduler.PolynomialLR(optimizer, epochs * -(-len(data[0]) // 64), power=0.5)
    fit(classifier, data, optimizer=optimizer, scheduler=scheduler, epochs=epochs, batch_size=64, seed=SEED)
    return classifier


source_only = train_plainly(source, epochs=12)
plain = {part: evaluate(source_only, data)["accuracy"] for part, data in (("source", source_test), ("target", test))}
table([(t("MNIST, new digits", "MNIST, nowe cyfry"), plain["source"]), ("MNIST-M", plain["target"])], [t("domain", "domena"), t("accuracy")])

# %% [markdown] lang="en"
# ## The mathematics
#
# **A bound.** Let $\varepsilon_S(h)$ and $\varepsilon_T(h)$ be the error rates of a classifier $h$ in source and target. Ben-David et al. 2010 (*A theory of learning from different domains*, Machine Learning 79) showed, for two classes and every $h$ of a family $\mathcal H$,
#
# $$\varepsilon_T(h) \;\le\; \varepsilon_S(h) \;+\; \tfrac12\, d_{\mathcal H\Delta\mathcal H}(S, T) \;+\; \lambda^*, \qquad \lambda^* = \min_{h' \in \mathcal H} \left[\varepsilon_S(h') + \varepsilon_T(h')\right].$$
#
# Why? Let $h^*$ attain that minimum. Where $h$ errs in the target, either $h^*$ errs too, or the two disagree: $\varepsilon_T(h) \le \varepsilon_T(h^*) + P_T[h \ne h^*]$. The disagreement in the target differs from that in the source by at most the largest such difference over all pairs of classifiers, which is what $\tfrac12 d_{\mathcal H\Delta\mathcal H}$ means: $P_T[h \ne h^*] \le P_S[h \ne h^*] + \tfrac12 d_{\mathcal H\Delta\mathcal H}$. And in the source, $P_S[h \ne h^*] \le \varepsilon_S(h) + \varepsilon_S(h^*)$. Add the three up. (Nothing in this needs two classes.)
#
# The first term is measured on labelled pictures of the source. The second needs pictures of both domains, but no labels. Only the third needs labels of the target:
#
# - **The distance.** Let a pair of classifiers say *target* where they disagree and *source* where they agree: that is a classifier of the domain. So the distance is large only if such a classifier tells the domains apart. We estimate it by another one: the **proxy A-distance** is $\hat d_A = 2\,(1 - 2 e)$, where $e$ is the error of a linear classifier that must say *source* or *target*. It is 2 if it always knows, 0 if it guesses. (An estimate, not a guarantee: a better classifier might see more.)
# - **$\lambda^*$** is the sum of the two errors of the best classifier for *both* domains. To estimate it takes labels of the target, so nobody has it in practice. We look at them all the same, to understand: here $\mathcal H$ are the linear classifiers on finished features, and a linear probe on the labels of both domains, tested on other pictures, estimates it.
# %% [markdown] lang="pl"
# ## Matematyka
#
# **Ograniczenie górne.** Niech $\varepsilon_S(h)$ i $\varepsilon_T(h)$ oznaczają stopę błędu klasyfikatora $h$ w źródle i w celu. Ben-David i in. 2010 (*A theory of learning from different domains*, Machine Learning 79) pokazali, że dla dwóch klas i każdego $h$ z rodziny $\mathcal H$
#
# $$\varepsilon_T(h) \;\le\; \varepsilon_S(h) \;+\; \tfrac12\, d_{\mathcal H\Delta\mathcal H}(S, T) \;+\; \lambda^*, \qquad \lambda^* = \min_{h' \in \mathcal H} \left[\varepsilon_S(h') + \varepsilon_T(h')\right].$$
#
# Dlaczego? Niech $h^*$ osiąga to minimum. Gdy $h$ myli się w celu, to albo myli się też $h^*$, albo odpowiadają różnie: $\varepsilon_T(h) \le \varepsilon_T(h^*) + P_T[h \ne h^*]$. Niezgodność w celu różni się od niezgodności w źródle co najwyżej o największą taką różnicę po wszystkich parach klasyfikatorów, a to właśnie znaczy $\tfrac12 d_{\mathcal H\Delta\mathcal H}$: $P_T[h \ne h^*] \le P_S[h \ne h^*] + \tfrac12 d_{\mathcal H\Delta\mathcal H}$. Wreszcie w źródle $P_S[h \ne h^*] \le \varepsilon_S(h) + \varepsilon_S(h^*)$. Dodaj te trzy nierówności. (Dowód nie wymaga, żeby klasy były dwie.)
#
# Pierwszy składnik mierzymy na obrazach źródła z etykietami. Do drugiego potrzeba obrazów z obu domen, ale bez etykiet. Dopiero trzeci wymaga etykiet celu:
#
# - **Odległość.** Niech para klasyfikatorów mówi *cel* tam, gdzie odpowiadają różnie, a *źródło* tam, gdzie się zgadzają: to już klasyfikator domeny. Odległość jest więc duża tylko wtedy, gdy taki klasyfikator odróżnia domeny. Szacujemy ją innym: **przybliżona odległość A** (ang. *proxy A-distance*) to $\hat d_A = 2\,(1 - 2 e)$, gdzie $e$ jest błędem klasyfikatora liniowego, który ma powiedzieć: *źródło* czy *cel*. Wynosi 2, gdy zawsze wie, a 0, gdy zgaduje. (To oszacowanie, nie gwarancja: lepszy klasyfikator może widzieć więcej.)
# - **$\lambda^*$** to suma obu błędów klasyfikatora najlepszego dla *obu* domen naraz. Żeby ją oszacować, trzeba etykiet celu, więc w praktyce nikt jej nie zna. My mimo to zajrzymy do nich, żeby zrozumieć: $\mathcal H$ to tutaj klasyfikatory liniowe na gotowych cechach, a oszacowanie daje sonda liniowa (ang. *linear probe*) na etykietach obu domen, sprawdzona na innych obrazach.

# %%
def joint_error(on_source, on_target, on_source_test, on_test):
    head = linear_probe(torch.cat([on_source[:1500], on_target]), torch.cat([source[1][:1500], target_labels]))
    return sum(1 - evaluate(head, data)["accuracy"] for data in ((on_source_test, source_test[1]), (on_test, test[1])))


features = [predict(source_only[0], images) for images in (source[0], target, source_test[0], test[0])]
distance = proxy_a_distance(*features[2:], seed=SEED)
bounds = {t("source only", "tylko źródło"): (1 - plain["source"], distance / 2, joint_error(*features), 1 - plain["target"])}
columns = [t("features", "cechy"), "ε_S", "d_A / 2", "λ*", t("their sum", "ich suma"), "ε_T"]
table([(name, *terms[:3], sum(terms[:3]), terms[3]) for name, terms in bounds.items()], columns)

# %% [markdown] lang="en"
# A linear classifier tells the domains apart in most cases, so the middle term is large, and the bound promises nothing. But $\lambda^*$ is smaller than the error in the target: there is one head on these very features whose errors in *both* domains together are smaller than ours in the target alone. So the distance is worth attacking.
#
# **Attack it with a game.** Let $f$ be the feature extractor, $c$ the classifier of the task, $g$ a **domain classifier** with loss $L_d$. DANN, the domain-adversarial neural network, looks for
#
# $$\min_{f,\, c}\;\max_{g}\;\; L_{\text{task}}(f, c) - \lambda\, L_d(f, g).$$
#
# ($L_d$ is the binary cross-entropy: $\log 2 \approx 0.69$ if $g$ guesses, nearly 0 if it is always right. The strength $\lambda$ has nothing to do with $\lambda^*$.) The domain classifier makes its own loss $L_d$ small; the features make the same loss *large*. One backward pass does both, if between them stands a layer that passes everything on unchanged and reverses the gradient on its way back, the **gradient reversal layer**:
#
# $$R(x) = x, \qquad \frac{\partial R}{\partial x} := -\lambda I .$$
#
# No function has this value *and* this derivative; we simply tell PyTorch so. And $\lambda$ grows with the progress $p$ of the training, from 0 to nearly a weight $w$, as $\lambda(p) = w \left(\frac{2}{1 + e^{-10 p}} - 1\right)$, with $w = 1$ unless we say otherwise: at first the domain classifier knows nothing, and its gradient would be noise.
#
# In code that is an autograd function of two methods, with a thin module around it. (`ctx` carries to `backward` what it needs; `backward` returns a gradient for each input, `None` for the strength.) And what if we left the layer out and simply minimised $L_{\text{task}} - \lambda L_d$ over all three networks? Compute the gradients of $L_d$ both ways on one batch, and compare them with the plain ones.
# %% [markdown] lang="pl"
# Klasyfikator liniowy przeważnie odróżnia domeny, więc środkowy składnik jest duży i ograniczenie niczego nie obiecuje. Ale $\lambda^*$ jest mniejsza niż błąd w celu: istnieje głowica na tych samych cechach, której błędy w *obu* domenach razem są mniejsze niż nasz w samym celu. Warto więc zmniejszyć odległość.
#
# **Zmniejsz ją w grze.** Niech $f$ będzie ekstraktorem cech, $c$ klasyfikatorem zadania, a $g$ **klasyfikatorem domeny** (ang. *domain classifier*) ze stratą $L_d$. DANN, czyli domenowo-adwersarialna sieć neuronowa (ang. *domain-adversarial neural network*), szuka
#
# $$\min_{f,\, c}\;\max_{g}\;\; L_{\text{task}}(f, c) - \lambda\, L_d(f, g).$$
#
# ($L_d$ to binarna entropia krzyżowa: $\log 2 \approx 0{,}69$, gdy $g$ zgaduje, prawie 0, gdy zawsze ma rację. Siła $\lambda$ nie ma nic wspólnego z $\lambda^*$.) Klasyfikator domeny zmniejsza swoją stratę $L_d$, a cechy tę samą stratę *zwiększają*. Jedno przejście wstecz załatwia jedno i drugie, jeśli między nimi stoi warstwa, która wszystko przepuszcza bez zmian, a gradient w drodze powrotnej odwraca: **warstwa odwracania gradientu** (ang. *gradient reversal layer*):
#
# $$R(x) = x, \qquad \frac{\partial R}{\partial x} := -\lambda I .$$
#
# Żadna funkcja nie ma naraz takiej wartości *i* takiej pochodnej; po prostu każemy PyTorchowi tak liczyć. A $\lambda$ rośnie z postępem treningu $p$, od 0 prawie do wagi $w$, jako $\lambda(p) = w \left(\frac{2}{1 + e^{-10 p}} - 1\right)$, przy czym $w = 1$, jeśli nie mówimy inaczej: na początku klasyfikator domeny nic nie wie i jego gradient byłby szumem.
#
# W kodzie to funkcja autograd z dwiema metodami i cienki moduł wokół niej. (`ctx` przenosi do `backward` to, czego ta metoda potrzebuje; `backward` zwraca gradient dla każdego wejścia, a dla siły `None`.) A gdyby tę warstwę pominąć i po prostu minimalizować $L_{\text{task}} - \lambda L_d$ po wszystkich trzech sieciach? Policz gradienty $L_d$ oboma sposobami na jednej paczce (ang. *batch*) i porównaj je ze zwykłymi.

# %%
show_source(ReverseGradient, GradientReversal, adaptation_strength, domain_adversarial_loss)

# %%
model = new_model()
first = [images[:64] for images in (source[0], target)]


def gradients(reverse, sign):
    model.zero_grad()
    logits = [model.domain_classifier(reverse(model.feature_extractor(images))) for images in first]
    (sign * domain_adversarial_loss(*logits)).backward()
    return [torch.cat([p.grad.flatten() for p in part.parameters()]) for part in (model.feature_extractor, model.domain_classifier)]


plain_gradients = gradients(nn.Identity(), +1)
ways = {t("gradient reversal", "odwracanie gradientu"): (GradientReversal(1.0), +1), t("minus sign", "minus przy stracie"): (nn.Identity(), -1)}
cosines = {name: [F.cosine_similarity(g, p, dim=0).item() for g, p in zip(gradients(*way), plain_gradients)] for name, way in ways.items()}
table([(name, *(f"{c:+.0f}" for c in pair)) for name, pair in cosines.items()],
      [t("cosine with the plain gradient", "cosinus kąta ze zwykłym gradientem"), t("features", "cechy"), t("domain classifier", "klasyfikator domeny")])

# %% [markdown] lang="en"
# Both reverse the gradient of the features. But the minus sign also trains the domain classifier to be *wrong*, and then no opponent is left to fool.
#
# **Or measure the distance directly.** The other methods need no opponent. A batch of either domain has features of $d$ numbers each, $s$ and $t$:
#
# - **CORAL**, correlation alignment (Sun and Saenko 2016, [arXiv 1607.01719](https://arxiv.org/abs/1607.01719)) compares their covariance matrices $C_s$ and $C_t$: $\frac{1}{4 d^2} \lVert C_s - C_t \rVert_F^2$.
# - **MMD**, the maximum mean discrepancy (Gretton et al. 2012), compares the means in the feature space of a kernel $k$; the square of their distance is $\overline{k(s, s')} + \overline{k(t, t')} - 2\,\overline{k(s, t)}$, with bars for averages over pairs. With Gaussian kernels $e^{-\lVert x - y \rVert^2 / 2\sigma^2}$ it is zero, for infinitely many examples, only if the distributions are equal. For $\sigma^2$ we take the median squared distance times $\frac18$ to 2, five kernels, and average.
# - **AdaBN**, adaptive batch normalisation (Li et al. 2016, [arXiv 1603.04779](https://arxiv.org/abs/1603.04779)) trains nothing: it replaces the statistics of batch normalisation by those of the target.
#
# The losses go into one training loop, and AdaBN ends it. Find $\lambda$ in it. For CORAL and MMD it multiplies the loss. For DANN it sits in the reversal, so that only the features feel it: the domain classifier itself learns at the full rate from the first step on.
# %% [markdown] lang="pl"
# Oba sposoby odwracają gradient, który dostają cechy. Ale sam minus odwraca też gradient klasyfikatora domeny, więc ten uczy się *mylić*: nie zostaje przeciwnik, którego trzeba by oszukać.
#
# **Albo zmierz odległość wprost.** Pozostałe metody nie potrzebują przeciwnika. Paczki obu domen mają cechy po $d$ liczb, $s$ i $t$:
#
# - **CORAL**, dopasowanie korelacji (ang. *correlation alignment*; Sun i Saenko 2016, [arXiv 1607.01719](https://arxiv.org/abs/1607.01719)) porównuje ich macierze kowariancji $C_s$ i $C_t$: $\frac{1}{4 d^2} \lVert C_s - C_t \rVert_F^2$.
# - **MMD**, maksymalna rozbieżność średnich (ang. *maximum mean discrepancy*; Gretton i in. 2012), porównuje średnie w przestrzeni cech jądra $k$; kwadrat ich odległości to $\overline{k(s, s')} + \overline{k(t, t')} - 2\,\overline{k(s, t)}$, gdzie kreska oznacza średnią po parach. Z jądrem Gaussa $e^{-\lVert x - y \rVert^2 / 2\sigma^2}$ jest zerem, przy nieskończenie wielu przykładach, tylko wtedy, gdy rozkłady są równe. Za $\sigma^2$ bierzemy medianę kwadratów odległości razy od $\frac18$ do 2, w sumie pięć jąder, i uśredniamy.
# - **AdaBN**, adaptacyjna normalizacja wsadowa (ang. *adaptive batch normalization*; Li i in. 2016, [arXiv 1603.04779](https://arxiv.org/abs/1603.04779)) niczego nie trenuje: podmienia statystyki normalizacji na statystyki celu.
#
# Straty wchodzą do jednej pętli treningu, a AdaBN ją kończy. Znajdź w niej $\lambda$. W CORAL i MMD mnoży stratę. W DANN tkwi w odwracaniu, więc czują ją tylko cechy: sam klasyfikator domeny od pierwszego kroku uczy się z pełnym współczynnikiem.

# %%
show_source(coral_loss, mmd_loss, adaptive_batch_norm, train_adaptation)

# %% [markdown] lang="en"
# ## The experiment
#
# Two thousand labelled MNIST digits, fifteen hundred MNIST-M digits without labels, 400 steps. We run DANN three times, with weights $w$ = 0, 1 and 10, and look after 1, 25, 50, 100, 200 and 400 steps at 500 new pictures of each domain, normalised by their own statistics, as in training. (With $w = 0$ the loss adapts nothing: the features learn from the source only. But at the end the statistics are the target's: that is AdaBN.)
# %% [markdown] lang="pl"
# ## Eksperyment
#
# Dwa tysiące cyfr MNIST z etykietami, półtora tysiąca cyfr MNIST-M bez etykiet, 400 kroków. Uruchamiamy DANN trzy razy, z wagami $w$ = 0, 1 i 10, i po 1, 25, 50, 100, 200 i 400 krokach oglądamy po 500 nowych obrazów z każdej domeny, normalizowanych własnymi statystykami, jak w treningu. (Przy $w = 0$ strata niczego nie dopasowuje: cechy uczą się tylko od źródła. Ale na końcu zostają statystyki celu, więc to jest AdaBN.)

# %% tags=["predict"]
guess = Prediction(
    t("What share of the MNIST-M digits will DANN with $w = 1$ name rightly?", "Jaką część cyfr MNIST-M rozpozna DANN z $w = 1$?"),
    low=0, high=100, unit="%",
)
guess

# %%
MOMENTS = (1, 25, 50, 100, 200, 400)
shown = {"source": tuple(part[:500] for part in source_test), "target": tuple(part[:500] for part in test)}


def normalised_by(model, images):
    model = copy.deepcopy(model)
    adaptive_batch_norm(model, images)
    return model


def look(model):
    seen = {}
    for part, (images, _) in shown.items():
        adapted = normalised_by(model, images)
        features = predict(adapted.feature_extractor, images)
        seen[part] = features, predict(adapted.task_classifier, features), predict(adapted.domain_classifier, features)[:, 0]
    return seen


# %%
def adapt(weight):
    model, moments = new_model(), {}

    def watch(step):
        if step + 1 in MOMENTS:
            moments[step + 1] = look(model)

    train_adaptation(model, source, target, weight=weight, on_step=watch, seed=SEED)
    return model, moments


# %%
runs = {weight: adapt(weight) for weight in (0.0, 1.0, 10.0)}
reached = {weight: evaluate(classifier_of(model), test)["accuracy"] for weight, (model, _) in runs.items()}
table([(f"w = {weight:g}", value) for weight, value in reached.items()], ["DANN", t("accuracy on MNIST-M", "dokładność na MNIST-M")])
guess.compare(100 * reached[1.0])


# %%
def digit_accuracy(seen, part):
    return (seen[part][1].argmax(1) == shown[part][1]).float().mean().item()


def domain_accuracy(seen):
    return ((seen["source"][2] < 0).float().mean() + (seen["target"][2] > 0).float().mean()).item() / 2


fig, axes = plt.subplots(1, 2, figsize=(9, 3.4))
for (weight, (_, moments)), colour in zip(runs.items(), ("grey", "red", "sky")):
    axes[0].plot(MOMENTS, [digit_accuracy(seen, "target") for seen in moments.values()], "o-", color=palette(colour), label=f"w = {weight:g}")
    axes[1].plot(MOMENTS, [domain_accuracy(seen) for seen in moments.values()], "o-", color=palette(colour))
for ax, name, low in zip(axes, (t("accuracy on MNIST-M", "dokładność na MNIST-M"), t("accuracy of the domain classifier", "dokładność klasyfikatora domeny")), (0, 0.2)):
    ax.set(xlabel=t("step"), ylabel=name, ylim=(low, 1.02), xscale="log", xticks=MOMENTS, xticklabels=MOMENTS)
    ax.minorticks_off()
axes[1].axhline(0.5, linestyle=":", color="black")
axes[1].text(1, 0.45, t("guessing", "zgadywanie"), fontsize=9)
axes[0].legend()
show(fig, alt=t("Left, the accuracy on MNIST-M rises with the steps, most for w = 1. Right, the domain classifier: almost always right for w = 0, nearly guessing for w = 1 and 10.",
                "Po lewej dokładność na MNIST-M rośnie z krokami, najbardziej dla w = 1. Po prawej klasyfikator domeny: prawie zawsze ma rację dla w = 0, prawie zgaduje dla w = 1 i 10."))

# %% [markdown] lang="en"
# Read the two panels together. With $w = 0$ the domain classifier learns to be right nearly always, and the accuracy on MNIST-M, higher already thanks to AdaBN, stops about half-way. With $w = 1$ it is driven towards guessing, and meanwhile, without any label of the target, the accuracy there rises. With $w = 10$ the features care more about fooling than about digits, and learning is less steady.
#
# And the bound? The same three terms for the features before and after. (It is now a bound for the head on the features; each domain comes with its own normalisation.)
# %% [markdown] lang="pl"
# Czytaj oba wykresy razem. Przy $w = 0$ klasyfikator domeny uczy się mieć prawie zawsze rację, a dokładność na MNIST-M, wyższa już dzięki AdaBN, zatrzymuje się mniej więcej w połowie. Przy $w = 1$ jest spychany w stronę zgadywania, a tymczasem, bez ani jednej etykiety z celu, dokładność tam rośnie. Przy $w = 10$ cechom bardziej zależy na oszukiwaniu niż na cyfrach i nauka przebiega mniej równo.
#
# A ograniczenie? Te same trzy składniki dla cech przed adaptacją i po niej. (Teraz dotyczy ono głowicy na cechach, a każda domena ma własną normalizację.)

# %%
for weight, name in ((0.0, "AdaBN"), (1.0, "DANN")):
    model, at_home = runs[weight][0], normalised_by(runs[weight][0], source[0])
    pairs = (at_home, source[0]), (model, target), (at_home, source_test[0]), (model, test[0])
    features = [predict(network.feature_extractor, images) for network, images in pairs]
    held_out = evaluate(classifier_of(at_home), source_test)["accuracy"]
    bounds[name] = 1 - held_out, proxy_a_distance(*features[2:], seed=SEED) / 2, joint_error(*features), 1 - reached[weight]
table([(name, *terms[:3], sum(terms[:3]), terms[3]) for name, terms in bounds.items()], columns)

# %% [markdown] lang="en"
# AdaBN alone makes the distance clearly smaller: gone are the differences in mean and spread by which a linear classifier largely knew the domain. (The deeper one of the right panel still told these same features apart, at $w = 0$: the proxy is an estimate, no more.) DANN takes most of what is left. And the third term, $\lambda^*$, has become smaller, not larger: these features carry *more* of what both domains need. That was not certain. One term can shrink at the cost of another, as you will see below.
#
# What do 100-dimensional features look like? t-SNE draws them in two dimensions so that neighbours stay neighbours (its axes mean nothing). Dots are MNIST, crosses MNIST-M; each colour is a digit, which is written where its dots are:
# %% [markdown] lang="pl"
# Już samo AdaBN wyraźnie zmniejsza odległość: znikają różnice średnich i rozrzutów, po których klasyfikator liniowy w dużej mierze rozpoznawał domenę. (Głębszy, z prawego wykresu, przy $w = 0$ nadal odróżniał te same cechy: odległość A to tylko oszacowanie.) DANN usuwa większość tego, co zostało. Zmalał też trzeci składnik, $\lambda^*$, a mógł urosnąć: te cechy niosą *więcej* tego, czego potrzebują obie domeny. To nie było pewne. Jeden składnik może maleć kosztem drugiego, co zobaczysz niżej.
#
# Jak wyglądają cechy o 100 wymiarach? t-SNE rysuje je w dwóch tak, żeby sąsiedzi pozostali sąsiadami (osie nic tu nie znaczą). Kropki to MNIST, krzyżyki to MNIST-M; każdy kolor to cyfra, podpisana tam, gdzie są jej kropki:

# %%
before = tuple(predict(source_only[0], images[:250]) for images, _ in shown.values())
after = tuple(seen[0][:250] for seen in runs[1.0][1][MOMENTS[-1]].values())
fig, axes = plt.subplots(1, 2, figsize=(9.5, 4.6))
for ax, pair, title in zip(axes, (before, after), (t("source only", "tylko źródło"), "DANN")):
    places = TSNE(init="pca", random_state=SEED, max_iter=500).fit_transform(torch.cat(pair).numpy())
    for part, at, mark in zip(("source", "target"), np.split(places, [250]), "o+"):
        ax.scatter(*at.T, c=shown[part][1][:250], cmap="tab10", vmin=-0.5, vmax=9.5, marker=mark, s=26, linewidths=1)
    for digit in range(10):
        ax.text(*places[:250][shown["source"][1][:250] == digit].mean(0), digit, fontsize=15, fontweight="bold", ha="center", va="center")
    ax.set(title=title, xticks=[], yticks=[])
show(fig, alt=t("Source only: ten tight groups of dots, and the crosses in a heap of mixed colours. DANN: the crosses lie in the groups of their own colour.",
                "Tylko źródło: dziesięć zwartych grup kropek, a krzyżyki wymieszane w jednym skupisku. DANN: krzyżyki leżą w grupach swojego koloru."))

# %% [markdown] lang="en"
# Before, the target lies in a heap of its own; after, its digits have joined the groups of the source. Nobody told them which.
#
# ### Ten seeds, both gaps
#
# One run proves nothing. The recorded runs (mean and 95 % interval) use all 2,500 (4,000 printed) source digits, and always the last step: whoever picks the best step by its test accuracy in the target uses labels they claim not to have. The weights are 300 for CORAL, 10 for MMD and 1 for DANN.
# %% [markdown] lang="pl"
# Przedtem cel leżał w osobnym skupisku; potem jego cyfry dołączyły do grup źródła. Nikt im nie powiedział, do których.
#
# ### Dziesięć ziaren losowości, obie luki
#
# Jeden przebieg niczego nie dowodzi. Zapisane przebiegi (średnia i przedział ufności 95 %) używają wszystkich 2500 cyfr źródła (4000 drukowanych) i zawsze ostatniego kroku: kto wybiera najlepszy krok według dokładności testowej w celu, korzysta z etykiet, których rzekomo nie ma. Wagi: 300 dla CORAL, 10 dla MMD, 1 dla DANN.

# %%
record = recorded("domain_adaptation")
measured = record.results["gaps"]
methods = {"source only": t("source only", "tylko źródło"), **{name: name for name in ("AdaBN", "CORAL", "MMD", "DANN")}}
methods["target's labels"] = t("with the target's labels", "z etykietami celu")
rows = [(label, *(mean_pm(measured[gap][method]["accuracy"]) for gap in gaps)) for method, label in methods.items()]
record.note()
table(rows, [t("accuracy in the target", "dokładność w celu"), "MNIST → MNIST-M", t("printed → handwritten", "druk → pismo")])

# %% [markdown] lang="en"
# Every way of aligning beats doing nothing, in both gaps. On MNIST-M DANN comes close to a network that was given the target's labels. From print to handwriting MMD is ahead, and DANN varies a lot from seed to seed: 400 steps are few for two players. The right panel of the next figure shows what more steps do there (five seeds).
#
# **What the paper found** (Ganin et al. 2016, table 2): on MNIST to MNIST-M 0.52 from the source only, 0.57 with subspace alignment, an older method, 0.77 with DANN, 0.96 with the target's labels. They had all of MNIST, other photographs and another network, trained by SGD without batch normalisation; even the source only gives 0.52 there and about half of that here. So compare a method with *your own* source-only run, never with somebody's table.
#
# ### What made the difference: whose statistics?
#
# Batch normalisation subtracts the mean of a batch and divides by its spread. Of *which* batch? It is convenient to concatenate source and target and pass them through at once. Then both are normalised by the mixture's statistics. Pass them one after the other, and each is normalised by its own. (With such statistics, the mixture's or the target's, the network is also tested. Black line: trained in one batch, but the target's statistics at the end.) Everything else is equal (left panel):
# %% [markdown] lang="pl"
# W obu lukach każdy sposób dopasowania domen jest lepszy niż żaden. Na MNIST-M metoda DANN dochodzi prawie do sieci, która dostała etykiety celu. Od druku do pisma prowadzi MMD, a DANN bardzo zależy od ziarna: 400 kroków to dla dwóch graczy niewiele. Co daje tam więcej kroków, pokazuje prawy wykres następnego rysunku (pięć ziaren).
#
# **Co wyszło w artykule** (Ganin i in. 2016, tabela 2): z MNIST na MNIST-M 0,52 z samego źródła, 0,57 z dopasowaniem podprzestrzeni, starszą metodą, 0,77 z DANN, 0,96 z etykietami celu. Mieli cały MNIST, inne zdjęcia i inną sieć, trenowaną metodą SGD bez normalizacji wsadowej; już samo źródło daje tam 0,52, a u nas około połowy tego. Porównuj więc metodę z *własnym* przebiegiem na samym źródle, nigdy z cudzą tabelą.
#
# ### Co rozstrzyga: czyje są statystyki?
#
# Normalizacja wsadowa odejmuje średnią paczki i dzieli przez jej rozrzut. Ale *której* paczki? Wygodnie jest skleić źródło z celem i przepuścić razem. Wtedy obie domeny są normalizowane statystykami mieszanki. Jeśli przepuścisz je jedna po drugiej, każda własnymi. (Z takimi statystykami, mieszanki albo celu, sieć jest też sprawdzana. Czarna kreska: trening w jednej paczce, ale na koniec statystyki celu.) Poza tym wszystko jest takie samo (lewy wykres):

# %%
fig, (ax, right) = plt.subplots(1, 2, figsize=(9.5, 3.4), width_ratios=(3, 2))
kinds = {t("apart", "osobno"): ("", "red", -0.2), t("in one batch", "w jednej paczce"): (", one batch", "sky", 0.2)}
for label, (suffix, colour, offset) in kinds.items():
    for x, method in enumerate(("CORAL", "MMD", "DANN")):
        values = measured[GAPS[0]][method + suffix]["accuracy"]
        ax.bar(x + offset, np.mean(values), 0.38, color=palette(colour), alpha=0.6, label=label if x == 0 else None)
        ax.plot(x + offset + np.linspace(-0.12, 0.12, len(values)), values, ".", color="black", markersize=4)
        ax.hlines(np.mean(record.results["statistics"][method]), x + 0.01, x + 0.39, color="black", linewidth=2)
ax.set(xticks=range(3), xticklabels=["CORAL", "MMD", "DANN"], ylabel=t("accuracy on MNIST-M", "dokładność na MNIST-M"), ylim=(0, 1))
ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
lengths = record.results["steps"]
band(right, lengths["steps"], np.transpose(lengths["accuracy"]), "DANN", "red", marker="o")
right.set(xscale="log", xticks=lengths["steps"], xticklabels=lengths["steps"], xlabel=t("steps", "liczba kroków"), ylim=(0, 1),
          ylabel=t("accuracy on handwriting", "dokładność na piśmie"))
right.minorticks_off()
show(fig, alt=t("Left, accuracy on MNIST-M with the domains normalised apart and in one batch, a dot for each seed: DANN loses most in one batch; a black line for the target's statistics at the end. Right, DANN from print to handwriting rises with the number of steps.",
                "Po lewej dokładność na MNIST-M, gdy domeny są normalizowane osobno i w jednej paczce, kropka na ziarno: w jednej paczce najwięcej traci DANN; czarna kreska to statystyki celu na końcu. Po prawej DANN od druku do pisma rośnie z liczbą kroków."))

# %% [markdown] lang="en"
# Normalised apart, every feature has the same mean and variance in *both* domains just before the last ReLU: AdaBN is built in, and the opponent must work on finer differences. (At test time only the target's statistics are needed, and they need no labels.) In one batch the difference of the means stays, the opponent can see it at once. The black lines show how much of the harm remains when only the test uses the target's statistics. All this matters where the pictures differ as much as digits with and without photographs behind them; from print to handwriting, white on black in both, one batch did DANN no harm.
#
# One detail we took from others: Adam with $\beta_1 = 0.5$ instead of 0.9, because momentum carries two players past each other (Radford et al. 2015, [arXiv 1511.06434](https://arxiv.org/abs/1511.06434)).
#
# ### Choosing without labels
#
# Which learning rate? Which weight for CORAL? Normally you ask a validation set; but its labels would be the target's. What one may look at is how *sure* the network is in the target: the mean **entropy** of its predictions, $-\sum_k p_k \log p_k$ (Morerio et al. 2018, [arXiv 1711.10288](https://arxiv.org/abs/1711.10288), choose so the weight of a variant of CORAL). Does the surest setting also have the highest accuracy? Each mark is a setting, the mean of three seeds:
# %% [markdown] lang="pl"
# Gdy domeny są normalizowane osobno, każda cecha ma tuż przed ostatnią funkcją ReLU tę samą średnią i wariancję w *obu* domenach: AdaBN jest już w środku, a przeciwnik musi szukać subtelniejszych różnic. (Podczas testu potrzebne są tylko statystyki celu, a do nich nie trzeba etykiet.) W jednej paczce różnica średnich zostaje, przeciwnik może ją od razu zobaczyć. Czarne kreski mówią, ile szkody zostaje, gdy statystyk celu używa tylko test. Wszystko to ma znaczenie tam, gdzie domeny różnią się tak mocno jak cyfra na czarnym tle od cyfry na zdjęciu; w luce od druku do pisma, gdzie wszystko jest białe na czarnym, wspólna paczka nie zaszkodziła sieci DANN.
#
# Jeden szczegół przejęliśmy od innych: Adam z $\beta_1 = 0{,}5$ zamiast 0,9, bo przy dużym rozpędzie (ang. *momentum*) gracze mijają się ze sobą (Radford i in. 2015, [arXiv 1511.06434](https://arxiv.org/abs/1511.06434)).
#
# ### Wybór bez etykiet
#
# Jaki współczynnik uczenia? Jaka waga dla CORAL? Zwykle pyta się o to zbiór walidacyjny, ale jego etykiety byłyby etykietami celu. Wolno natomiast spojrzeć, jak *pewna siebie* jest sieć w celu: na średnią **entropię** jej przewidywań, $-\sum_k p_k \log p_k$ (Morerio i in. 2018, [arXiv 1711.10288](https://arxiv.org/abs/1711.10288), tak dobierają wagę pewnej odmiany CORAL). Czy najpewniejsze ustawienie ma też największą dokładność? Każdy znak to jedno ustawienie, średnia z trzech ziaren:

# %%
choice = record.results["choice"]["runs"]
fig, ax = plt.subplots(figsize=(7, 3.6))
for method, colour, mark in (("DANN", "red", "o"), ("CORAL", "green", "s"), ("MMD", "blue", "^")):
    settings = [run for run in choice if run["method"] == method]
    points = [[np.mean(run[name]) for run in settings] for name in ("entropy", "accuracy")]
    ax.plot(*points, linestyle="none", marker=mark, color=palette(colour), label=method)
    for run, x, y in zip(settings, *points):
        changed = run["rate"] if method == "DANN" else run["weight"]
        ax.annotate(f"{changed:g}", (x, y), xytext=(6, -12 if changed == 0.005 else 0), textcoords="offset points", fontsize=8)
ax.set(xlabel=t("entropy of the predictions in the target (nats)", "entropia przewidywań w celu (naty)"), ylabel=t("accuracy on MNIST-M", "dokładność na MNIST-M"))
ax.legend(title=t("numbers: DANN's rate,\nthe others' weight", "liczby: współczynnik DANN,\nwaga pozostałych"), fontsize=9)
show(fig, alt=t("Accuracy against entropy: for DANN the surest settings are the best ones; for MMD a heavy weight makes the network less sure and yet better.",
                "Dokładność względem entropii: dla DANN najpewniejsze ustawienia są najlepsze; dla MMD duża waga czyni sieć mniej pewną, a mimo to lepszą."))

# %% [markdown] lang="en"
# Among DANN's rates the entropy finds a good one. Among the weights of the other two it does not: a large weight of MMD makes the network less sure *and yet* better. So our weights for CORAL and MMD are not the best that one could find with labels; a fair comparison with DANN must say so. And we have cheated a little ourselves: this rate, network and number of steps were tried out on other seeds, with their target labels in view.
#
# ### Explore
#
# Move $w$ and the step. Each of the ten corners is a digit; a point is the average of the corners, weighted by the network's probabilities. A sure prediction lies in a corner, one torn between two digits between theirs, one that knows nothing in the middle. Does the target leave the middle at $w = 0$? And at 1, from which step on?
# %% [markdown] lang="pl"
# Wśród współczynników uczenia DANN entropia wskazuje dobry. Wśród wag CORAL i MMD już nie: duża waga MMD czyni sieć mniej pewną, *a mimo to* lepszą. Nasze wagi nie są więc najlepszymi, jakie dałoby się znaleźć z etykietami; kto porównuje te metody z DANN, musi to uczciwie dodać. My sami też trochę oszukaliśmy: współczynnik, sieć i liczbę kroków wypróbowaliśmy na innych ziarnach, patrząc na etykiety celu.
#
# ### Zbadaj
#
# Zmieniaj $w$ i krok. Każdy wierzchołek dziesięciokąta to cyfra; punkt to średnia wierzchołków ważona prawdopodobieństwami z sieci. Pewne przewidywanie leży przy wierzchołku, wahające się między dwiema cyframi leży między nimi, a takie, które nic nie wie, pośrodku. Czy przy $w = 0$ cel opuszcza środek? A przy 1, od którego kroku?

# %% tags=["widget"]
angles = torch.arange(10) * 2 * torch.pi / 10
corners = torch.stack([angles.sin(), angles.cos()], 1)


def draw(weight, step):
    seen = runs[weight][1][step]
    fig, axes = plt.subplots(1, 2, figsize=(9, 4.4))
    accuracies = [digit_accuracy(seen, part) for part in shown]
    for ax, (part, (_, labels)), name, accuracy in zip(axes, shown.items(), ("MNIST", "MNIST-M"), accuracies):
        points = seen[part][1].softmax(1) @ corners
        ax.scatter(*points.T, c=labels, cmap="tab10", vmin=-0.5, vmax=9.5, s=14, alpha=0.7)
        for digit, (x, y) in enumerate(1.13 * corners.numpy()):
            ax.text(x, y, str(digit), ha="center", va="center")
        ax.set(title=f"{name}: {accuracy:.2f}", xlim=(-1.25, 1.25), ylim=(-1.25, 1.25), xticks=[], yticks=[], aspect="equal")
    fig.suptitle(t("accuracy of the domain classifier: {:.2f}", "dokładność klasyfikatora domeny: {:.2f}").format(domain_accuracy(seen)))
    return fig, t(f"w = {weight:g}, step {step}: accuracy {accuracies[0]:.2f} on MNIST, {accuracies[1]:.2f} on MNIST-M.",
                  f"w = {weight:g}, krok {step}: dokładność {accuracies[0]:.2f} na MNIST, {accuracies[1]:.2f} na MNIST-M.")


explorer = explore(draw, weight=list(runs), step=list(MOMENTS), labels={"weight": "w", "step": t("step")})
explorer

# %% [markdown] lang="en"
# ## When it fails
#
# Suppose the classes occur in other *proportions* in the target than in the source, a **label shift**: a line where only some defects occur, a form with only some digits. Let the alignment be perfect: features of source and target have the same distribution. Then so have the predictions of any classifier on them, and in particular each class is predicted equally often in both domains.
#
# Let $p_S(y)$ and $p_T(y)$ be the share of class $y$ in each domain, and $\lVert p - q \rVert = \tfrac12 \sum_y |p(y) - q(y)|$ the distance of two such distributions (total variation). Predictions that are wrong in a share $\varepsilon$ of the cases shift the shares by at most $\varepsilon$. So the step from the source's true labels to the predictions is at most $\varepsilon_S$; the predictions are distributed alike in both domains; and the step to the target's true labels is at most $\varepsilon_T$:
#
# $$\lVert p_S(y) - p_T(y) \rVert \;\le\; \varepsilon_S(h) + \varepsilon_T(h) \qquad\text{for every classifier } h \text{ on perfectly aligned features.}$$
#
# (Zhao et al. 2019, [arXiv 1901.09453](https://arxiv.org/abs/1901.09453), prove a bound in the same spirit, with another distance, that also covers imperfect alignment.) Hence $\lambda^*$, the minimum of the right side, is *at least* the distance on the left. Alignment has paid for a smaller second term with a larger third one.
#
# Now take printed to handwritten digits, where the target has only the digits 0 to 4. The source has all ten, equally often: $\lVert p_S - p_T \rVert = \tfrac12 (5 \cdot 0.1 + 5 \cdot 0.1) = \tfrac12$.
# %% [markdown] lang="pl"
# ## Kiedy to zawodzi
#
# Załóżmy, że w celu *proporcje* klas są inne niż w źródle: to **przesunięcie etykiet** (ang. *label shift*). Na linii zdarzają się tylko niektóre usterki, w formularzu tylko niektóre cyfry. Niech dopasowanie będzie doskonałe: cechy źródła i celu mają ten sam rozkład. Wtedy ten sam rozkład mają też przewidywania dowolnego klasyfikatora na tych cechach, czyli każda klasa jest przewidywana w obu domenach jednakowo często.
#
# Niech $p_S(y)$ i $p_T(y)$ oznaczają udział klasy $y$ w każdej z domen, a $\lVert p - q \rVert = \tfrac12 \sum_y |p(y) - q(y)|$ odległość dwóch takich rozkładów (odległość całkowitego wahania, ang. *total variation*). Przewidywania błędne w części $\varepsilon$ przypadków zmieniają udziały najwyżej o $\varepsilon$. Od prawdziwych etykiet źródła do przewidywań jest więc co najwyżej $\varepsilon_S$; przewidywania mają w obu domenach ten sam rozkład; a stamtąd do prawdziwych etykiet celu jest co najwyżej $\varepsilon_T$:
#
# $$\lVert p_S(y) - p_T(y) \rVert \;\le\; \varepsilon_S(h) + \varepsilon_T(h) \qquad\text{dla każdego klasyfikatora } h \text{ na doskonale dopasowanych cechach.}$$
#
# (Zhao i in. 2019, [arXiv 1901.09453](https://arxiv.org/abs/1901.09453), dowodzą ograniczenia w tym samym duchu, z inną odległością, które obejmuje też niedoskonałe dopasowanie.) Zatem $\lambda^*$, minimum prawej strony, wynosi *co najmniej* tyle, ile odległość po lewej. Za mniejszy drugi składnik dopasowanie zapłaciło większym trzecim.
#
# Weź teraz lukę od druku do pisma, w której cel zawiera tylko cyfry od 0 do 4. Źródło ma wszystkie dziesięć, po równo: $\lVert p_S - p_T \rVert = \tfrac12 (5 \cdot 0{,}1 + 5 \cdot 0{,}1) = \tfrac12$.

# %% tags=["predict"]
guess = Prediction(
    t("In the target are only the digits 0 to 4. Compared with the source only, DANN will be", "W celu są tylko cyfry od 0 do 4. W porównaniu z samym źródłem DANN będzie"),
    [t("better by 5 points or more", "lepsza o co najmniej 5 pkt proc."), t("about as good", "mniej więcej tak samo dobra"), t("worse by 5 points or more", "gorsza o co najmniej 5 pkt proc.")],
)
guess

# %%
printed = gaps[GAPS[1]]
some = {part: (images[labels < 5], labels[labels < 5]) for part, (images, labels) in printed.items()}
reader = train_plainly(printed["source"], epochs=6)
aligned = new_model(channels=1)
train_adaptation(aligned, printed["source"], some["target"][0], seed=SEED)
predicted = {
    methods["source only"]: predict(reader, some["test"][0]).argmax(1),
    "DANN": predict(classifier_of(aligned), some["test"][0]).argmax(1),
}
shift = {name: (digits == some["test"][1]).float().mean().item() for name, digits in predicted.items()}
absent = {name: (digits >= 5).float().mean().item() for name, digits in predicted.items()}
table([(name, shift[name], absent[name]) for name in predicted],
      [t("method"), t("accuracy in the target", "dokładność w celu"), t("predicts a digit that is not there", "wskazuje cyfrę, której nie ma")])
gain = shift["DANN"] - shift[methods["source only"]]
guess.compare(0 if gain >= 0.05 else 2 if gain <= -0.05 else 1)

# %%
labels = record.results["labels"]
whole = measured[GAPS[1]]
kept = [*labels["kept"], 10]
by_method = {method: np.column_stack([runs_, whole[method]["accuracy"]]) for method, runs_ in labels["accuracy"].items()}
fig, ax = plt.subplots(figsize=(7, 3.2))
for method, colour in (("source only", "grey"), ("AdaBN", "sky"), ("CORAL", "green"), ("MMD", "blue"), ("DANN", "red")):
    band(ax, kept, by_method[method], methods[method], colour, marker="o")
ax.set(xlabel=t("how many digits the target has (3: 0, 1 and 2)", "ile cyfr jest w celu (3 to 0, 1 i 2)"), ylabel=t("accuracy in the target", "dokładność w celu"), xticks=kept, ylim=(0, 1))
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
show(fig, alt=t("Accuracy against the number of digits in the target: with three and five digits CORAL, MMD and DANN are far below the source only and AdaBN, with ten above.",
                "Dokładność w zależności od liczby cyfr w celu: przy trzech i pięciu CORAL, MMD i DANN są daleko poniżej samego źródła i AdaBN, przy dziesięciu powyżej."))

# %% [markdown] lang="en"
# As the proof says: DANN spreads the target over *all* ten digits, as in the source, and about half of its answers name a digit that is not there. (Both errors together must be at least ½ if the alignment is perfect.) The network without adaptation does better. Its domains lie apart, but nothing has pushed its third term up.
#
# The figure shows the same for targets with the first three, five, seven and all ten digits, over ten seeds. (The network without adaptation is always the same one; only the digits that it is tested on change. A smaller target also has fewer pictures to align.) The fewer classes the target has, the worse the aligned networks do. AdaBN, which moves statistics only, loses far less: it is the alignment by a loss that does the harm. Before you align, ask whether the classes occur equally often in both domains. If not, look for methods that estimate the shift, or pick out the classes that both share.
#
# ## In robotics
#
# A robot that is to grasp unknown objects needs hundreds of thousands of attempts, and in a simulator these cost almost nothing. Bousmalis et al. 2017 ([arXiv 1709.07857](https://arxiv.org/abs/1709.07857)) trained a network that judges grasps on simulated camera pictures and carried it over to real arms: with a network that makes simulated pictures look real, and with a domain classifier on the features, as here. They report more than 25,000 physical test grasps, and that simulation with adaptation reduced the number of real attempts needed for the same success by up to fifty times. There, too, the label
# shift lurks: a simulated grasp succeeds more or less often than a real one.
#
# The alternative is not to hide the domain but to vary the simulator so much that reality is just one of its variants (domain randomization): [lesson 07](07_sim_to_real.ipynb).
#
# ## Exercises
#
# **1. Reversal without a new function.** PyTorch has `x.detach()`: the same values, but no gradient flows back. Write gradient reversal with nothing else: a sum of two terms that has the value of `x` and, with respect to `x`, the derivative $-\lambda$ (the argument `strength`).
# %% [markdown] lang="pl"
# Jest tak, jak mówi dowód: DANN rozkłada cel na *wszystkie* dziesięć cyfr, jak w źródle, i około połowa odpowiedzi to cyfry, których tam nie ma. (Przy doskonałym dopasowaniu oba błędy razem muszą wynieść co najmniej ½.) Sieć bez adaptacji radzi sobie lepiej. Jej domeny leżą daleko od siebie, ale nic nie powiększyło jej trzeciego składnika.
#
# Rysunek pokazuje to samo dla celów z pierwszymi trzema, pięcioma, siedmioma i wszystkimi dziesięcioma cyframi, na dziesięciu ziarnach. (Sieć bez adaptacji jest zawsze ta sama, zmieniają się tylko cyfry, na których ją sprawdzamy. Mniejszy cel ma też mniej obrazów do dopasowania.) Im mniej klas ma cel, tym gorzej wypadają sieci dopasowane. AdaBN, które zmienia tylko statystyki, traci o wiele mniej: szkodzi dopasowanie przez stratę. Zanim dopasujesz domeny, zapytaj, czy klasy występują w obu jednakowo często. Jeśli nie, poszukaj metod, które szacują to przesunięcie albo wybierają klasy wspólne.
#
# ## W robotyce
#
# Robot, który ma chwytać nieznane przedmioty, potrzebuje setek tysięcy prób, które w symulatorze nie kosztują prawie nic. Bousmalis i in. 2017 ([arXiv 1709.07857](https://arxiv.org/abs/1709.07857)) wytrenowali na symulowanych obrazach z kamery sieć, która ocenia chwyty, i przenieśli ją na prawdziwe ramiona: za pomocą sieci, która symulowanym obrazom nadaje wygląd prawdziwych, oraz klasyfikatora domeny na cechach, jak tutaj. Podają, że wykonali ponad 25 000 fizycznych chwytów testowych, a symulacja z adaptacją zmniejszyła liczbę prawdziwych prób potrzebnych do tej samej skuteczności nawet pięćdziesięciokrotnie. Tam też czyha
# przesunięcie etykiet: symulowany chwyt udaje się częściej albo rzadziej niż prawdziwy.
#
# Można też nie ukrywać domeny, tylko tak urozmaicić symulator, żeby rzeczywistość była po prostu jednym z jego wariantów (randomizacja domeny, ang. *domain randomization*): [lekcja 07](07_sim_to_real.ipynb).
#
# ## Ćwiczenia
#
# **1. Odwracanie bez nowej funkcji.** PyTorch ma `x.detach()`: te same wartości, ale gradient nie wraca. Zapisz odwracanie gradientu, nie używając niczego więcej: jako sumę dwóch składników, która ma wartość `x`, a jej pochodna względem `x` to $-\lambda$ (argument `strength`).

# %% tags=["exercise"]
def reverse(x, strength):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# The term with the gradient must be `-strength * x`. What has to be added to it, without a gradient, so that the value is `x` again?
# %% [markdown] lang="pl" tags=["hint"]
# Składnik z gradientem to `-strength * x`. Co trzeba do niego dodać, już bez gradientu, żeby wartością znów było `x`?

# %% tags=["check"]
check("reverse", reverse)


# %% tags=["solution"]
def reverse(x, strength):
    return (1 + strength) * x.detach() - strength * x


# %% [markdown] lang="en"
# **2. Be sure.** Another loss for unlabelled images: **entropy minimisation** (Grandvalet and Bengio 2004) asks the network to decide, whatever the decision. Return the mean entropy of the predictions, $-\frac{1}{n} \sum_i \sum_k p_{ik} \log p_{ik}$, from `logits` (n, K). Very large logits must not give NaN. (To try it, give `train_adaptation` the loss `align=lambda s, t: entropy(model.task_classifier(t))`. Its cousin, **self-training**, takes the sure answers as labels, **pseudo-labels**, and trains on them.)
# %% [markdown] lang="pl"
# **2. Zdecyduj się.** Inna strata dla obrazów bez etykiet: **minimalizacja entropii** (Grandvalet i Bengio 2004) każe sieci się zdecydować, wszystko jedno na co. Zwróć średnią entropię przewidywań, $-\frac{1}{n} \sum_i \sum_k p_{ik} \log p_{ik}$, z logitów `logits` (n, K). Bardzo duże logity nie mogą dać NaN. (Żeby ją wypróbować, daj `train_adaptation` stratę `align=lambda s, t: entropy(model.task_classifier(t))`. Krewnym tej straty jest **samouczenie**, ang. *self-training*, które pewne odpowiedzi bierze za etykiety, **pseudoetykiety**, ang. *pseudo-labels*, i na nich trenuje.)

# %% tags=["exercise"]
def entropy(logits):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# `logits.softmax(1)` gives $p$; the logarithm of a probability of 0 is $-\infty$, so take $\log p$ from `logits.log_softmax(1)`. Sum over the classes, average over the images.
# %% [markdown] lang="pl" tags=["hint"]
# `logits.softmax(1)` daje $p$; logarytm prawdopodobieństwa 0 to $-\infty$, więc $\log p$ weź z `logits.log_softmax(1)`. Zsumuj po klasach, uśrednij po obrazach.

# %% tags=["check"]
check("entropy", entropy)


# %% tags=["solution"]
def entropy(logits):
    return -(logits.softmax(1) * logits.log_softmax(1)).sum(1).mean()


# %% [markdown] lang="en"
# ## Quiz
# %% [markdown] lang="pl"
# ## Quiz

# %% tags=["quiz"]
quiz(
    Quiz(
        t("In a run with $w = 0$ the domain classifier's loss stays at $\\log 2$ to the end. What do you conclude?", "W przebiegu z $w = 0$ strata klasyfikatora domeny do końca wynosi $\\log 2$. Co z tego wynika?"),
        [
            (t("The domains are aligned; well done.", "Domeny są dopasowane; gotowe."), False,
             t("Nothing aligned them: the weight is 0.", "Nic ich nie dopasowywało: waga jest zerem.")),
            (t("It does not learn: look for a bug before you read anything into its loss.", "Nie uczy się: zanim cokolwiek wyczytasz z jego straty, poszukaj błędu."), True,
             t("Yes: an opponent that never learned looks just like a perfect screen.", "Tak: przeciwnik, który niczego się nie nauczył, wygląda tak samo jak doskonały parawan.")),
            (t("The weight is too large.", "Waga jest za duża."), False,
             t("It is zero here.", "Tutaj jest zerem.")),
        ],
    ),
    Quiz(
        t("Why is a minus sign on the domain loss not gradient reversal?", "Dlaczego minus przy stracie domeny to nie odwracanie gradientu?"),
        [
            (t("It gives the features another gradient.", "Daje cechom inny gradient."), False,
             t("The table showed the same direction for both.", "Tabela pokazała dla obu ten sam kierunek.")),
            (t("It also teaches the domain classifier to be wrong.", "Uczy też klasyfikator domeny, żeby się mylił."), True,
             t("Yes, and an opponent that wants to be wrong is no opponent.", "Tak, a przeciwnik, który chce się mylić, nie jest przeciwnikiem.")),
            (t("Losses must be positive.", "Strata musi być dodatnia."), False,
             t("They need not.", "Nie musi.")),
        ],
    ),
    Quiz(
        t("The proxy A-distance of your features is 0. Is the error in the target small?", "Przybliżona odległość A twoich cech wynosi 0. Czy błąd w celu jest mały?"),
        [
            (t("Yes, the bound says so.", "Tak, mówi to ograniczenie."), False,
             t("The bound has a third term, $\\lambda^*$.", "Ograniczenie ma trzeci składnik, $\\lambda^*$.")),
            (t("Not necessarily: features of zeros have distance 0, too.", "Niekoniecznie: cechy złożone z samych zer też mają odległość 0."), True,
             t("Yes. A screen that lets no music through hides everything.", "Tak. Parawan, który nie przepuszcza muzyki, ukrywa wszystko.")),
            (t("Only if the weight $w$ was 1.", "Tylko jeśli waga $w$ była równa 1."), False,
             t("The distance does not care how the features were made.", "Odległość nie zależy od tego, jak cechy powstały.")),
        ],
    ),
    Quiz(
        t("On your production line one board in a hundred is defective, in the simulator every second one. What do you expect of DANN?",
          "Na twojej linii wadliwa jest jedna płytka na sto, w symulatorze co druga. Czego spodziewasz się po DANN?"),
        [
            (t("It adapts to the share of defects.", "Dopasuje się do udziału usterek."), False,
             t("It has no way to know that share; perfect alignment forces the source's.", "Nie ma skąd znać tego udziału; doskonałe dopasowanie narzuca udział ze źródła.")),
            (t("The sum of both errors is at least 0.49 if the alignment is perfect.", "Suma obu błędów wyniesie co najmniej 0,49, jeśli dopasowanie będzie doskonałe."), True,
             t("Yes: $\\lVert p_S - p_T \\rVert = 0.5 - 0.01$. Draw fewer defects, or reweight the classes.", "Tak: $\\lVert p_S - p_T \\rVert = 0{,}5 - 0{,}01$. Rysuj mniej usterek albo nadaj klasom wagi.")),
            (t("Nothing changes; only pictures matter.", "Nic się nie zmieni; liczą się tylko obrazy."), False,
             t("How often each class occurs shapes the distribution of the features.", "Jeśli z cech da się odczytać klasę, to inne proporcje klas dają inny rozkład cech.")),
        ],
    ),
)

# %% [markdown] lang="en"
# ## What we saw
#
# - The error in the target is bounded by the source's error, a distance, and $\lambda^*$; a domain classifier estimates the distance, and DANN made it small.
# - Gradient reversal passes values on and reverses gradients; a minus sign on the loss teaches the opponent to be wrong.
# - On MNIST-M DANN gained most, more than fifty percentage points with every seed; CORAL, MMD and AdaBN less. For DANN and CORAL it decides there whether the domains are normalised apart.
# - Low entropy in the target found a good learning rate for DANN, but no good weights for CORAL and MMD.
# - Where the target lacks classes, alignment must fail: one term shrinks at the cost of another, and DANN did worse than the source only.
#
# The numbers of this run and of the recorded ones have to bear this out:
# %% [markdown] lang="pl"
# ## Podsumowanie
#
# - Błąd w celu jest nie większy niż suma błędu w źródle, odległości domen i $\lambda^*$; odległość szacuje klasyfikator domeny, a DANN ją zmniejszyła.
# - Odwracanie gradientu przepuszcza wartości i odwraca gradienty; sam minus przed stratą uczy przeciwnika się mylić.
# - Na MNIST-M najwięcej zyskała DANN, w każdym ziarnie ponad pięćdziesiąt punktów procentowych; CORAL, MMD i AdaBN mniej. O wyniku DANN i CORAL rozstrzyga tam to, czy domeny są normalizowane osobno.
# - Mała entropia w celu wskazała dobry współczynnik uczenia dla DANN, ale nie dobre wagi dla CORAL i MMD.
# - Gdy w celu brakuje klas, dopasowanie musi zawieść: jeden składnik maleje kosztem drugiego, a DANN wypadła gorzej niż samo źródło.
#
# Liczby z tego uruchomienia i z zapisanych przebiegów muszą to potwierdzać:

# %% tags=["claim"]
def lead(better, worse="source only", gap=GAPS[0]):
    return np.subtract(measured[gap][better]["accuracy"], measured[gap][worse]["accuracy"])


(_, far, joint, _), (_, near, joint_after, _) = bounds[methods["source only"]], bounds["DANN"]
claim(t("DANN's lead over the source only on MNIST-M, this run", "Przewaga DANN nad samym źródłem na MNIST-M, to uruchomienie"), reached[1.0] - plain["target"], at_least=0.30)
claim(t("The same in the worst recorded seed", "To samo dla najgorszego z zapisanych ziaren"), lead("DANN").min(), at_least=0.50)
claim(t("From print to handwriting, recorded mean", "Od druku do pisma, zapisana średnia"), lead("DANN", gap=GAPS[1]).mean(), at_least=0.08)
by_steps = np.mean(lengths["accuracy"], 1)
claim(t("What 800 steps there add to 400, recorded mean", "Ile 800 kroków dodaje tam do 400, zapisana średnia"), by_steps[2] - by_steps[1], at_least=0.05)
claim(t("Smallest mean gain of AdaBN, CORAL and MMD over both gaps, recorded", "Najmniejszy średni zysk z AdaBN, CORAL i MMD w obu lukach, zapisany"),
      min(lead(method, gap=gap).mean() for method in ("AdaBN", "CORAL", "MMD") for gap in GAPS), at_least=0.02)
claim(t("What training on the target's labels adds to DANN on MNIST-M, recorded mean", "Ile do DANN dodają etykiety celu na MNIST-M, zapisana średnia"), lead("target's labels", "DANN").mean(), at_most=0.05)
claim(t("MMD's lead over DANN from print to handwriting, recorded mean", "Przewaga MMD nad DANN od druku do pisma, zapisana średnia"), lead("MMD", "DANN", GAPS[1]).mean(), at_least=0.01)
claim(t("DANN: gain of normalising apart over one batch, recorded mean", "DANN: zysk z osobnych statystyk wobec jednej paczki, zapisana średnia"), lead("DANN", "DANN, one batch").mean(), at_least=0.10)
claim(t("The same from print to handwriting", "To samo od druku do pisma"), lead("DANN", "DANN, one batch", GAPS[1]).mean(), at_most=0.02)
claim(t("Half the proxy A-distance, source only, this run", "Połowa przybliżonej odległości A, tylko źródło, to uruchomienie"), far, at_least=0.6)
claim(t("The same after DANN", "To samo po DANN"), near, at_most=0.35)
claim(t("Fall of λ* through DANN", "Spadek λ* dzięki DANN"), joint - joint_after, at_least=0.15)
claim(t("Accuracy of the domain classifier at w = 0, last step", "Dokładność klasyfikatora domeny przy w = 0, ostatni krok"), domain_accuracy(runs[0.0][1][400]), at_least=0.85)
claim(t("The same at w = 1", "To samo przy w = 1"), domain_accuracy(runs[1.0][1][400]), at_most=0.75)
claim(t("Five of ten digits in the target: source only above DANN, this run", "Pięć z dziesięciu cyfr w celu: przewaga samego źródła nad DANN, to uruchomienie"), shift[methods["source only"]] - shift["DANN"], at_least=0.05)
claim(t("The same in the worst recorded seed", "To samo dla najgorszego z zapisanych ziaren"), (by_method["source only"] - by_method["DANN"])[:, kept.index(5)].min(), at_least=0.05)
harm = {method: (by_method["source only"] - by_method[method])[:, [0, 1]].mean() for method in ("AdaBN", "CORAL", "MMD", "DANN")}
claim(t("Loss with three and five digits: the mildest of CORAL, MMD and DANN, recorded mean", "Strata przy trzech i pięciu cyfrach: najłagodniejsza z CORAL, MMD i DANN, zapisana średnia"), min(harm[m] for m in ("CORAL", "MMD", "DANN")), at_least=0.15)
claim(t("The same of AdaBN", "To samo dla AdaBN"), harm["AdaBN"], at_most=0.15)
claim(t("DANN's answers that name an absent digit", "Odpowiedzi DANN, które wskazują nieobecną cyfrę"), absent["DANN"], at_least=0.35)

# %% [markdown] lang="en"
# ## Where to go next
#
# - Ben-David et al. 2010, *A theory of learning from different domains*, Machine Learning 79, 151–175
# - Ganin et al. 2016, *Domain-Adversarial Training of Neural Networks*, [arXiv 1505.07818](https://arxiv.org/abs/1505.07818)
# - Sun and Saenko 2016, *Deep CORAL: Correlation Alignment for Deep Domain Adaptation*, [arXiv 1607.01719](https://arxiv.org/abs/1607.01719)
# - Long et al. 2015, *Learning Transferable Features with Deep Adaptation Networks*, [arXiv 1502.02791](https://arxiv.org/abs/1502.02791)
# - Li et al. 2016, *Revisiting Batch Normalization For Practical Domain Adaptation*, [arXiv 1603.04779](https://arxiv.org/abs/1603.04779)
# - Zhao et al. 2019, *On Learning Invariant Representations for Domain Adaptation*, [arXiv 1901.09453](https://arxiv.org/abs/1901.09453)
#
# [Lesson 07](07_sim_to_real.ipynb) crosses another gap, from a simulator to reality, with no data of the target at all.
# %% [markdown] lang="pl"
# ## Co dalej
#
# - Ben-David i in. 2010, *A theory of learning from different domains*, Machine Learning 79, 151–175
# - Ganin i in. 2016, *Domain-Adversarial Training of Neural Networks*, [arXiv 1505.07818](https://arxiv.org/abs/1505.07818)
# - Sun i Saenko 2016, *Deep CORAL: Correlation Alignment for Deep Domain Adaptation*, [arXiv 1607.01719](https://arxiv.org/abs/1607.01719)
# - Long i in. 2015, *Learning Transferable Features with Deep Adaptation Networks*, [arXiv 1502.02791](https://arxiv.org/abs/1502.02791)
# - Li i in. 2016, *Revisiting Batch Normalization For Practical Domain Adaptation*, [arXiv 1603.04779](https://arxiv.org/abs/1603.04779)
# - Zhao i in. 2019, *On Learning Invariant Representations for Domain Adaptation*, [arXiv 1901.09453](https://arxiv.org/abs/1901.09453)
#
# [Lekcja 07](07_sim_to_real.ipynb) przechodzi przez inną lukę, z symulatora do rzeczywistości, w ogóle bez danych docelowych.
