# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   tlcourse:
#     title: {en: Continual learning, pl: Uczenie ciągłe}
#     minutes: 60
#     seconds: 55
#     prerequisites: ["02_fine_tuning"]
# ---

# %% [markdown] lang="en"
# # Continual learning
#
# A factory robot gets a new product every few months, and the pictures of the old ones have long been deleted. It must learn the new product without unlearning the others. An ordinary network can lose all that it knew within seconds. Here you watch that happen, prevent it in three ways, and find out when there is nothing to prevent.
#
# **After this lesson you will be able to**
#
# - read from a matrix of accuracies what a network learned, forgot and passed on,
# - derive elastic weight consolidation from Bayes' rule, and say what each approximation costs,
# - compute the Fisher information correctly, and recognise the usual wrong one,
# - compare consolidation, learning without forgetting and replay fairly, on three kinds of streams,
# - predict where each of them fails, and what it costs in memory.
#
# **You need**: [lesson 02](02_fine_tuning.ipynb), Bayes' rule, the Taylor expansion. **Time**: about an hour; the code runs in
# under a minute. New words are explained in the glossary of [lesson 00](00_start.ipynb).
# %% [markdown] lang="pl"
# # Uczenie ciągłe
#
# Robot w fabryce co kilka miesięcy dostaje nowy produkt, a zdjęcia poprzednich dawno skasowano. Ma nauczyć się nowego, nie oduczając się pozostałych. Zwykła sieć potrafi w kilka sekund stracić wszystko, co umiała. Tutaj zobaczysz, jak to się dzieje, zapobiegniesz temu na trzy sposoby i dowiesz się, kiedy nie ma czemu zapobiegać.
#
# **Po tej lekcji będziesz umieć**
#
# - odczytać z macierzy dokładności, czego sieć się nauczyła, co zapomniała i co przeniosła dalej,
# - wyprowadzić elastyczną konsolidację wag ze wzoru Bayesa i powiedzieć, ile kosztuje każde przybliżenie,
# - poprawnie obliczyć informację Fishera i rozpoznać jej częstą błędną wersję,
# - uczciwie porównać konsolidację, uczenie bez zapominania i powtarzanie na trzech rodzajach strumieni,
# - z góry powiedzieć, gdzie każda z tych metod zawiedzie i ile pamięci kosztuje.
#
# **Co trzeba umieć**: [lekcja 02](02_fine_tuning.ipynb), wzór Bayesa, wzór Taylora. **Czas**: około godziny; kod wykonuje się
# niecałą minutę. Nowe słowa wyjaśnia słowniczek w [lekcji 00](00_start.ipynb).

# %% tags=["setup"]
from tlcourse.classroom import start_lesson, t

start_lesson("14_continual_learning", lang="en")

# %% tags=["imports"]
import math
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from tlcourse.classroom import (
    Prediction, Quiz, check, claim, explore, heat_map, image_grid, mean_pm, palette, quiz, recorded, show, show_source, table,
)
from tlcourse.continual import (
    EWC, Reservoir, average_accuracy, ewc_penalty, fisher_diagonal, forgetting, lwf_loss, task_accuracy, train_jointly, train_stream,
)
from tlcourse.data.boards import CLASS_NAMES, CLASSES
from tlcourse.data.task_streams import Task, board_products, permuted_digits, split_digits
from tlcourse.feature_extraction import FeatureExtractor
from tlcourse.few_shot import class_prototypes, prototype_classifier
from tlcourse.runtime import seed_everything

SEED = 0

# %% [markdown] lang="en"
# ## The idea
#
# You learned Italian at school. Ten years later you move to Madrid, and after a year your Spanish is fine. Then you call Rome, and out comes *gracias*. Nobody wanted you to lose your Italian; but for a year nothing defended it, and the new words settled where the old ones had been. Had you practised both in turns, neither would have pushed out the other.
#
# It is the same with a network, only worse. Training on task B lowers the loss of B and nothing else; the weights go wherever that leads, and task A has no say. This is **catastrophic forgetting**. To learn one task after another, without the old data, and to keep them all is **continual learning**. What would help your Italian? Three things, and they are the three families of methods:
#
# - *Hold on to what matters.* The words that your Italian rests on get springs that pull them back; the others may move. This is **elastic weight consolidation**, EWC.
# - *Keep answering as you used to.* Before you leave, write down what the old you would say; while you learn, don't drift from it. This is **learning without forgetting**, LwF.
# - *Reread a few old pages.* Half an hour a week with an Italian book. This is **experience replay**, or rehearsal.
#
# Two extremes are our points of reference: **joint training** on all the data at once, which continual learning cannot afford, and **naive** training, one task after the other with no precaution. Our first stream: five tasks, each with two of MNIST's handwritten digits.
#
# A network with two hidden layers learns these tasks one after another. The question is always the same: is the digit **even or odd**? Guessing gives ½. After each task we test it on *all* tasks. (There are 800 pictures of each pair to learn from and 200 others to test on.)
# %% [markdown] lang="pl"
# ## Pomysł
#
# W szkole uczysz się włoskiego. Dziesięć lat później przeprowadzasz się do Madrytu i po roku mówisz po hiszpańsku całkiem nieźle. Potem dzwonisz do Rzymu i mówisz *gracias*. Nikt nie chciał, żeby włoski przepadł; ale przez rok nic go nie broniło, a nowe słowa zajęły miejsce starych. Gdyby uczyć się obu języków na zmianę, nie wyparłyby się nawzajem.
#
# Z siecią jest tak samo, tylko gorzej. Trening na zadaniu B zmniejsza stratę B i nic więcej; wagi idą tam, dokąd to prowadzi, a zadanie A nie ma nic do powiedzenia. To **katastrofalne zapominanie** (ang. *catastrophic forgetting*). Uczenie się jednego zadania po drugim, bez dawnych danych, i zachowanie wszystkich to **uczenie ciągłe** (ang. *continual learning*). Co pomogłoby włoskiemu? Trzy rzeczy, i są to trzy rodziny metod:
#
# - *Trzymaj się tego, co ważne.* Słowa, na których opiera się twój włoski, dostają sprężyny, które ciągną je z powrotem; pozostałe mogą się przesuwać. To **elastyczna konsolidacja wag** (EWC, ang. *elastic weight consolidation*).
# - *Odpowiadaj tak jak dawniej.* Przed wyjazdem zapisz, co mówisz teraz, a ucząc się, nie oddalaj się od tego. To **uczenie bez zapominania** (LwF, ang. *learning without forgetting*).
# - *Wracaj do kilku starych stron.* Pół godziny w tygodniu z włoską książką. To **powtarzanie doświadczeń** (ang. *experience replay*, *rehearsal*).
#
# Punktami odniesienia są dwie skrajności: **trening łączny** na wszystkich danych naraz, na który uczenie ciągłe nie może sobie pozwolić, i trening **naiwny**, zadanie po zadaniu bez żadnych środków ostrożności. Nasz pierwszy strumień: pięć zadań, w każdym po dwie odręczne cyfry z MNIST.
#
# Sieć o dwóch warstwach ukrytych uczy się tych zadań jedno po drugim. Pytanie jest zawsze to samo: czy cyfra jest **parzysta, czy nieparzysta**? Zgadywanie daje ½. Po każdym zadaniu sprawdzamy ją na *wszystkich* zadaniach. (Na każdą parę przypada 800 obrazów do nauki i 200 innych do sprawdzenia.)

# %%
tasks = split_digits("domain", seed=SEED)
some = torch.cat([task.train[0][::80] for task in tasks]).view(-1, 1, 28, 28)
fig = image_grid(some, rows=5, row_names=[t("task {}: {}", "zadanie {}: {}").format(i, task.name) for i, task in enumerate(tasks, 1)], size=0.6)
show(fig, alt=t("Five rows of handwritten digits: zeros and ones, twos and threes, and so on up to eights and nines.",
                "Pięć rzędów odręcznych cyfr: zera i jedynki, dwójki i trójki i tak dalej aż do ósemek i dziewiątek."))

# %% tags=["predict"]
guess = Prediction(
    t("Right after task 1 the network tells 0 from 1 almost without error. For what share of these digits will its answer still be right after all five tasks?",
      "Zaraz po zadaniu 1 sieć odróżnia 0 od 1 prawie bezbłędnie. Dla ilu procent tych cyfr odpowie jeszcze poprawnie po wszystkich pięciu zadaniach?"),
    low=0, high=100, unit="%",
)
guess

# %%
def network(outputs):
    return nn.Sequential(nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, outputs))


def draw_matrix(ax, accuracy, names, title):
    heat_map(ax, accuracy, [t("after {}", "po {}").format(name) for name in names], names, vmin=0, vmax=1)
    ax.set_title(title, fontsize=11)
    ax.set_xlabel(t("tested on", "sprawdzone na"))


seed_everything(SEED)
untouched = train_stream(network(2), tasks, epochs=3, seed=SEED, progress=False)
fig, ax = plt.subplots(figsize=(5, 3.6))
draw_matrix(ax, untouched, [task.name for task in tasks], t("naive training: accuracy on each task", "trening naiwny: dokładność w każdym zadaniu"))
show(fig, alt=t("A matrix of accuracies, a row after each task. The diagonal is near 1; to its left, on the earlier tasks, the values fall.",
                "Macierz dokładności, po jednym wierszu na zadanie. Na przekątnej prawie 1; na lewo od niej, w dawnych zadaniach, wartości spadają."))
guess.compare(100 * untouched[-1, 0])

# %% [markdown] lang="en"
# Read the last row. After the fifth task the network tells 8 from 9; but on 0 and 1 it is right less often than a coin. And the 4 and 5 are far *below* ½. That is not fading, it is overwriting: a 4 resembles a 9 and a 5 an 8, and for those the network has just learned the opposite answers. Only 6 and 7 survive: a single task has come after theirs, and it was kind to them, for a 7 resembles a 9 and both are odd. Right of the diagonal stand tasks not yet learned, some solved better than by chance and some far worse: what was learned passes forward, for better or worse.
#
# **The measures.** Let $R_{ij}$ be the accuracy on task $j$ after training on task $i$, with $T$ tasks in all: rows are times, columns are tasks. Three numbers sum the matrix up (Lopez-Paz & Ranzato 2017, [arXiv 1706.08840](https://arxiv.org/abs/1706.08840), for the first two; Chaudhry et al. 2018, [arXiv 1801.10112](https://arxiv.org/abs/1801.10112), for the third):
#
# $$\text{ACC} = \frac1T \sum_{j=1}^{T} R_{Tj}, \qquad \text{BWT} = \frac{1}{T-1} \sum_{j=1}^{T-1} \big( R_{Tj} - R_{jj} \big), \qquad \text{FGT} = \frac{1}{T-1} \sum_{j=1}^{T-1} \Big( \max_{i<T} R_{ij} - R_{Tj} \Big) .$$
#
# ACC, the **average accuracy**, is what is right at the end. BWT, the **backward transfer**, compares that with what was right just after the task: it is negative if later tasks did harm, positive if they helped. FGT, the **forgetting**, compares with the best there ever was. (Where each task is at its best just after it was learned, as it nearly always is here, FGT = −BWT; so the tables have FGT alone.) Always look at ACC as well: a network that learns nothing forgets nothing.
#
# ## The mathematics
#
# **Yesterday's answer is today's prior.** Let $\theta$ be all the weights, and $D_A$, $D_B$ the data of two tasks, independent given $\theta$. Bayes' rule, and then once more for the part with $A$:
#
# $$p(\theta \mid D_A, D_B) \;\propto\; p(D_B \mid \theta)\; p(D_A \mid \theta)\, p(\theta) \;\propto\; p(D_B \mid \theta)\; p(\theta \mid D_A) .$$
#
# So all that $D_A$ has to say is in its **posterior** $p(\theta \mid D_A)$. With it in hand the data may be deleted and *nothing* is lost. The trouble: it is a distribution over all weights, and nobody can write it down. EWC (Kirkpatrick et al. 2017, [arXiv 1612.00796](https://arxiv.org/abs/1612.00796)) makes three approximations.
#
# **1. A normal distribution** (Laplace). Training on A ended in $\theta^*$, a maximum of $\log p(\theta \mid D_A)$. The gradient vanishes there, so to second order, with the negative Hessian $\Lambda$,
#
# $$\log p(\theta \mid D_A) \approx \text{const} - \tfrac12 (\theta - \theta^*)^\top \Lambda\, (\theta - \theta^*) .$$
#
# **2. The Fisher information for the Hessian.** Let $p_\theta(y \mid x)$ be the probability that the network gives to label $y$, and $\partial_a$ the derivative with respect to the weight $\theta_a$. Leaving the prior $p(\theta)$ aside, $\Lambda$ is the sum of $-\nabla^2 \log p_\theta(y \mid x)$ over the $N_A$ examples. From $\sum_y p_\theta(y \mid x) = 1$ follows, differentiated once, $\sum_y p_\theta\, \partial_a \log p_\theta = 0$, and differentiated again, $\sum_y p_\theta \big( \partial_b \log p_\theta\; \partial_a \log p_\theta + \partial_a \partial_b \log p_\theta \big) = 0$. That is,
#
# $$F_{ab} = \mathbb{E}_{x}\, \mathbb{E}_{y \sim p_\theta(\cdot \mid x)} \big[ \partial_a \log p_\theta(y \mid x)\; \partial_b \log p_\theta(y \mid x) \big] = \mathbb{E}_{x}\, \mathbb{E}_{y \sim p_\theta(\cdot \mid x)} \big[ -\partial_a \partial_b \log p_\theta(y \mid x) \big] :$$
#
# if the probabilities that the network predicts are those of the true labels, $\Lambda \approx N_A F$; and $F$ takes first derivatives only. Moreover, unlike the Hessian, it never has a negative eigenvalue.
#
# **3. The diagonal only.** For $10^5$ weights $F$ has $10^{10}$ entries. Keep $F_a = F_{aa}$, one number per weight. Put it together, take the negative logarithm, and divide by the number $N_B$ of new examples, so that $L_B$ is the *mean* loss on $D_B$:
#
# $$L(\theta) = L_B(\theta) + \frac{\lambda}{2} \sum_a F_a\, (\theta_a - \theta^*_a)^2 , \qquad \lambda = \frac{N_A}{N_B} .$$
#
# Each weight hangs on a spring; $F_a$ is its stiffness. The theory even gives the strength: for tasks of equal size $\lambda = 1$. You will see that this is far too little; in practice $\lambda$ makes up for what the approximations lose, and is tuned. With more tasks, each adds its springs; springs side by side are one spring, so one $F$ is kept in all, the sum, and one anchor $\theta^*$, the mean of the anchors, weighted by their $F$. (*Online* EWC keeps $\gamma F$ of the sum so far and adds the new $F$, here with $\gamma = 1$; as anchor it takes where the last task ended; Schwarz et al. 2018, [arXiv 1805.06370](https://arxiv.org/abs/1805.06370), Huszár 2017, [arXiv 1712.03847](https://arxiv.org/abs/1712.03847)).
#
# **Explore** what the third step costs. Two weights. Task A has a narrow valley round $\theta^*_A = (0, 0)$, $L_A = \frac12 \theta^\top \Lambda\, \theta$: along its floor the loss hardly rises, across it steeply. Task B wants $\theta^*_B = (3, -1)$, equally in all directions, $L_B = \frac12 \lVert \theta - \theta^*_B \rVert^2$. The minimum is known, $\theta = (I + \lambda \Lambda)^{-1} \theta^*_B$, with the whole $\Lambda$, its diagonal (EWC), or its mean stiffness for every weight (**L2**, equal springs). Each line shows where a method ends, one $\lambda$ after another; the letters A and B mark the two tasks' minima, and grey is the loss of A. Turn the valley. When is EWC as good as the full matrix, and when is it no better than L2?
# %% [markdown] lang="pl"
# Przeczytaj ostatni wiersz. Po piątym zadaniu sieć odróżnia 8 od 9; ale dla 0 i 1 trafia rzadziej, niż trafiałby rzut monetą. A 4 i 5 są daleko *poniżej* ½. To nie jest blaknięcie, tylko nadpisywanie: 4 przypomina 9, a 5 przypomina 8, i właśnie dla nich sieć nauczyła się przeciwnych odpowiedzi. Przetrwały tylko 6 i 7: po nich przyszło jedno zadanie, a nie cztery, i akurat im sprzyjało, bo 7 przypomina 9, a obie są nieparzyste. Na prawo od przekątnej stoją zadania jeszcze nieznane; niektóre wypadają lepiej niż przy zgadywaniu, a niektóre o wiele gorzej: to, czego sieć się nauczyła, przenosi się do przodu, na dobre i na złe.
#
# **Miary.** Niech $R_{ij}$ będzie dokładnością (ang. *accuracy*) w zadaniu $j$ po treningu na zadaniu $i$, a $T$ liczbą zadań: wiersze to chwile, kolumny to zadania. Macierz streszczają trzy liczby (dwie pierwsze: Lopez-Paz i Ranzato 2017, [arXiv 1706.08840](https://arxiv.org/abs/1706.08840); trzecia: Chaudhry i in. 2018, [arXiv 1801.10112](https://arxiv.org/abs/1801.10112)):
#
# $$\text{ACC} = \frac1T \sum_{j=1}^{T} R_{Tj}, \qquad \text{BWT} = \frac{1}{T-1} \sum_{j=1}^{T-1} \big( R_{Tj} - R_{jj} \big), \qquad \text{FGT} = \frac{1}{T-1} \sum_{j=1}^{T-1} \Big( \max_{i<T} R_{ij} - R_{Tj} \Big) .$$
#
# ACC, **średnia dokładność**, mówi, ile sieć umie na końcu. BWT, **transfer wsteczny** (ang. *backward transfer*), porównuje to z dokładnością tuż po danym zadaniu: jest ujemny, jeśli późniejsze zadania zaszkodziły, a dodatni, jeśli pomogły. FGT, **zapominanie** (ang. *forgetting*), porównuje z najlepszym wynikiem, jaki kiedykolwiek był. (Gdy każde zadanie wypada najlepiej zaraz po nauce, jak tu prawie zawsze, FGT = −BWT; dlatego w tabelach jest samo FGT.) Zawsze patrz też na ACC: sieć, która niczego się nie uczy, niczego nie zapomina.
#
# ## Matematyka
#
# **Wczorajsza odpowiedź to dzisiejszy rozkład a priori.** Niech $\theta$ oznacza wszystkie wagi, a $D_A$ i $D_B$ dane dwóch zadań, niezależne przy ustalonym $\theta$. Wzór Bayesa, a potem jeszcze raz dla części z $A$:
#
# $$p(\theta \mid D_A, D_B) \;\propto\; p(D_B \mid \theta)\; p(D_A \mid \theta)\, p(\theta) \;\propto\; p(D_B \mid \theta)\; p(\theta \mid D_A) .$$
#
# Wszystko, co $D_A$ ma do powiedzenia, zawiera więc jego **rozkład a posteriori** (ang. *posterior*) $p(\theta \mid D_A)$. Kto go ma, może skasować dane i *niczego* nie straci. Kłopot w tym, że to rozkład łączny wszystkich wag i nikt nie umie go zapisać. EWC (Kirkpatrick i in. 2017, [arXiv 1612.00796](https://arxiv.org/abs/1612.00796)) robi trzy przybliżenia.
#
# **1. Rozkład normalny** (Laplace). Trening na A skończył się w $\theta^*$, maksimum funkcji $\log p(\theta \mid D_A)$. Gradient jest tam zerem, więc z dokładnością do drugiego rzędu, gdzie $\Lambda$ to hesjan ze znakiem minus,
#
# $$\log p(\theta \mid D_A) \approx \text{const} - \tfrac12 (\theta - \theta^*)^\top \Lambda\, (\theta - \theta^*) .$$
#
# **2. Informacja Fishera** (ang. *Fisher information*) **zamiast hesjanu.** Niech $p_\theta(y \mid x)$ będzie prawdopodobieństwem, które sieć daje etykiecie $y$, a $\partial_a$ pochodną względem wagi $\theta_a$. Gdy pominąć rozkład a priori $p(\theta)$, $\Lambda$ to suma $-\nabla^2 \log p_\theta(y \mid x)$ po $N_A$ przykładach. Z $\sum_y p_\theta(y \mid x) = 1$ wynika po jednym zróżniczkowaniu $\sum_y p_\theta\, \partial_a \log p_\theta = 0$, a po drugim $\sum_y p_\theta \big( \partial_b \log p_\theta\; \partial_a \log p_\theta + \partial_a \partial_b \log p_\theta \big) = 0$. Czyli
#
# $$F_{ab} = \mathbb{E}_{x}\, \mathbb{E}_{y \sim p_\theta(\cdot \mid x)} \big[ \partial_a \log p_\theta(y \mid x)\; \partial_b \log p_\theta(y \mid x) \big] = \mathbb{E}_{x}\, \mathbb{E}_{y \sim p_\theta(\cdot \mid x)} \big[ -\partial_a \partial_b \log p_\theta(y \mid x) \big] :$$
#
# jeśli przewidywania sieci zgadzają się z prawdziwym rozkładem etykiet, to $\Lambda \approx N_A F$, a do obliczenia $F$ wystarczą pierwsze pochodne. Poza tym informacja Fishera, inaczej niż hesjan, nigdy nie ma ujemnych wartości własnych.
#
# **3. Sama przekątna.** Dla $10^5$ wag $F$ ma $10^{10}$ elementów. Zachowaj $F_a = F_{aa}$, jedną liczbę na wagę. Połącz te trzy kroki, weź logarytm z minusem i podziel przez liczbę $N_B$ nowych przykładów, tak że $L_B$ to *średnia* strata na $D_B$:
#
# $$L(\theta) = L_B(\theta) + \frac{\lambda}{2} \sum_a F_a\, (\theta_a - \theta^*_a)^2 , \qquad \lambda = \frac{N_A}{N_B} .$$
#
# Każda waga wisi na sprężynie o sztywności $F_a$. Teoria podaje nawet siłę: dla zadań tej samej wielkości $\lambda = 1$. Zobaczysz, że to o wiele za mało; w praktyce $\lambda$ nadrabia to, co gubią przybliżenia, i trzeba je dobrać. Przy większej liczbie zadań każde dokłada swoje sprężyny; sprężyny obok siebie to jedna sprężyna, więc wystarczy przechować jedno $F$, czyli sumę, i jeden punkt zaczepienia $\theta^*$, czyli średnią punktów zaczepienia ważoną ich $F$. (EWC *online* zachowuje z dotychczasowej sumy $\gamma F$ i dodaje nowe $F$, tutaj przy $\gamma = 1$, a za punkt zaczepienia bierze wagi po ostatnim zadaniu; Schwarz i in. 2018, [arXiv 1805.06370](https://arxiv.org/abs/1805.06370), Huszár 2017, [arXiv 1712.03847](https://arxiv.org/abs/1712.03847)).
#
# **Zbadaj**, ile kosztuje trzeci krok. Dwie wagi. Zadanie A ma wąską dolinę wokół $\theta^*_A = (0, 0)$, $L_A = \frac12 \theta^\top \Lambda\, \theta$: wzdłuż dna strata prawie nie rośnie, w poprzek rośnie stromo. Zadanie B ciągnie do $\theta^*_B = (3, -1)$, jednakowo we wszystkich kierunkach, $L_B = \frac12 \lVert \theta - \theta^*_B \rVert^2$. Minimum jest znane, $\theta = (I + \lambda \Lambda)^{-1} \theta^*_B$, z całą macierzą $\Lambda$, z jej przekątną (EWC) albo ze średnią sztywnością dla każdej wagi (**L2**, jednakowe sprężyny). Każda linia pokazuje, gdzie kończy dana metoda dla kolejnych $\lambda$; minima obu zadań oznaczają litery A i B, a szare poziomice to strata A. Obróć dolinę. Kiedy EWC jest równie dobre jak pełna macierz, a kiedy nie lepsze niż L2?

# %% tags=["widget"]
wish = np.array([3.0, -1.0])


def stiffness(angle):
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    whole = turn @ np.diag([0.05, 5.0]) @ turn.T
    return {t("whole matrix", "cała macierz"): whole, "EWC": np.diag(np.diag(whole)), "L2": np.eye(2) * np.trace(whole) / 2}


def draw(angle, strength):
    springs, (fig, ax), said = stiffness(math.radians(angle)), plt.subplots(figsize=(7.4, 4.4)), []
    whole = springs[t("whole matrix", "cała macierz")]
    grid = np.stack(np.meshgrid(np.linspace(-1, 3.5, 225), np.linspace(-1.5, 1.5, 150)), -1)
    ax.contour(*np.moveaxis(grid, -1, 0), np.einsum("...i,ij,...j", grid, whole, grid) / 2, levels=[0.1, 0.5, 1, 2, 4, 8], colors=palette("grey"), linewidths=0.7)
    for (name, matrix), colour, style, size, width in zip(springs.items(), ("black", "blue", "orange"), ("-", "-", "--"), (8, 8, 14), (5, 1.8, 1.8)):
        path = np.array([np.linalg.solve(np.eye(2) + s * matrix, wish) for s in [0, *np.geomspace(0.01, 1000, 60)]])
        end = np.linalg.solve(np.eye(2) + strength * matrix, wish)
        said.append(t("{}: loss of A {:.2f}, of B {:.2f}", "{}: strata A {:.2f}, B {:.2f}").format(name, end @ whole @ end / 2, np.sum((end - wish) ** 2) / 2))
        ax.plot(*path.T, style, color=palette(colour), linewidth=width, alpha=0.4 if width > 2 else 1)
        ax.plot(*end, "o", color=palette(colour), markersize=size, fillstyle="none", markeredgewidth=2, label=said[-1])
    for name, place in (("A", (0, 0)), ("B", wish)):
        ax.plot(*place, marker=f"${name}$", color=palette("red"), markersize=12)
    ax.set(aspect="equal", xlabel="θ₁", ylabel="θ₂", xlim=(-1, 3.5), ylim=(-1.5, 1.5))
    ax.legend(loc="lower left", fontsize=9, bbox_to_anchor=(0, 1.01))
    return fig, t(f"The valley turned by {angle} degrees, λ = {strength}. ", f"Dolina obrócona o {angle} stopni, λ = {strength}. ") + "; ".join(said)


explorer = explore(draw, angle=range(0, 50, 5), strength=[0.1, 0.3, 1, 3, 10, 30],
                   labels={"angle": t("angle of the valley", "kąt doliny"), "strength": t("strength λ", "siła λ")})
explorer.controls["strength"].value, explorer.controls["angle"].value = 1, 15
explorer

# %% [markdown] lang="en"
# With $\lambda = 1$ and the whole matrix, the end is the minimum of $L_A + L_B$: joint training, without the data of A. While the valley lies along an axis, the diagonal knows all there is to know, and EWC gets there, too. As the valley turns, the diagonal sees less and less of it; at 45 degrees both its entries are equal, and EWC *is* L2. In a network the valleys lie as they lie: nobody turns the axes for us.
#
# ## The code
#
# `fisher_diagonal` does steps 2 and 3; `ewc_penalty` is the springs. `functional_call` runs the network with the weights it is handed, and `compete` sets the logits of classes that are not in play to −∞. `grad` is the gradient of *one* example's loss with respect to all the weights, `vmap` computes it for a whole batch of examples at once (`in_dims`: `None` for the weights, which all share, 0 for what goes example by example).
# %% [markdown] lang="pl"
# Przy $\lambda = 1$ i całej macierzy koniec to minimum $L_A + L_B$: trening łączny bez danych zadania A. Gdy dolina leży wzdłuż osi, przekątna wie wszystko i EWC też tam trafia. Im bardziej dolina się obraca, tym mniej widzi przekątna; przy 45 stopniach oba jej elementy są równe i EWC *jest* metodą L2. W sieci doliny leżą, jak leżą: nikt nie obróci dla nas osi.
#
# ## Kod
#
# `fisher_diagonal` to kroki 2 i 3, a `ewc_penalty` to sprężyny. `functional_call` uruchamia sieć z wagami, które dostanie, a `compete` ustawia logity klas nieobecnych w grze na −∞. `grad` to gradient straty *jednego* przykładu względem wszystkich wag, a `vmap` liczy go dla całej paczki (ang. *batch*) przykładów naraz (`in_dims`: `None` dla wag, bo są wspólne, 0 dla tego, co idzie po jednym przykładzie).

# %%
show_source(fisher_diagonal, ewc_penalty)

# %% [markdown] lang="en"
# **Three ways to compute it, two of them named Fisher.** The definition draws the label $y$ from the model. Many programs put the **true label** in its place: the *empirical* Fisher. That is not the same and, in general, no Hessian (Kunstner et al. 2019, [arXiv 1905.12558](https://arxiv.org/abs/1905.12558)). Let there be two labels, and let the network give probability $p$ to the right one: then the empirical Fisher of this example is proportional to $(1-p)^2$, the true one to $p(1-p)$. As $p$ goes to 1 both go to 0, the empirical one much faster. Say which one you used.
#
# The third way is a mistake, and common: backward on the *mean* loss of a batch, then square, each component by itself. For $B$ independent examples with gradients $g_1, \dots, g_B$, of mean $\bar g$ over all the data,
#
# $$\mathbb{E}\Big[ \Big( \frac1B \sum_{n=1}^{B} g_n \Big)^{2} \Big] = \frac1B\, \mathbb{E}\big[g^2\big] + \Big(1 - \frac1B\Big)\, \bar g^{\,2} .$$
#
# At a minimum $\bar g = 0$: the result is **too small by the factor $B$**, and whoever uses it needs a $\lambda$ that is $B$ times as large, or believes that EWC does not work. Here, for the network after a first task, all ten digits (the batches have the true labels: compare them with the second row):
# %% [markdown] lang="pl"
# **Trzy sposoby liczenia, z których dwa noszą nazwisko Fishera.** Definicja losuje etykietę $y$ z modelu. Wiele programów wstawia na jej miejsce **prawdziwą etykietę**: to *empiryczna* informacja Fishera. Nie jest tym samym i na ogół nie jest hesjanem (Kunstner i in. 2019, [arXiv 1905.12558](https://arxiv.org/abs/1905.12558)). Niech będą dwie etykiety, a sieć niech daje właściwej prawdopodobieństwo $p$. Empiryczna informacja Fishera dla tego przykładu jest wtedy proporcjonalna do $(1-p)^2$, a prawdziwa do $p(1-p)$. Gdy $p$ dąży do 1, obie dążą do 0, empiryczna o wiele szybciej. Zawsze mów, której używasz.
#
# Trzeci sposób to częsty błąd: gradient *średniej* straty paczki, a potem kwadrat każdej składowej. Dla $B$ niezależnych przykładów o gradientach $g_1, \dots, g_B$, których średnia po wszystkich danych to $\bar g$,
#
# $$\mathbb{E}\Big[ \Big( \frac1B \sum_{n=1}^{B} g_n \Big)^{2} \Big] = \frac1B\, \mathbb{E}\big[g^2\big] + \Big(1 - \frac1B\Big)\, \bar g^{\,2} .$$
#
# W minimum $\bar g = 0$: wynik jest **za mały $B$ razy**, a kto go używa, potrzebuje $B$ razy większego $\lambda$ albo uzna, że EWC nie działa. Oto wyniki dla sieci po pierwszym zadaniu, ze wszystkimi dziesięcioma cyframi (paczki mają prawdziwe etykiety, więc porównaj je z drugim wierszem):

# %%
(digits,), reader = permuted_digits(1, train=4000, seed=SEED), network(10)
train_stream(reader, [digits], epochs=3, seed=SEED, progress=False)
some = torch.randperm(4000, generator=torch.Generator().manual_seed(SEED))[:1024]
x, y = digits.train[0][some], digits.train[1][some]
drawn, true = fisher_diagonal(reader, x, seed=SEED), fisher_diagonal(reader, x, y)


def square_of_mean(size):
    squares = []
    for inputs, labels in zip(x.split(size), y.split(size)):
        gradients = torch.autograd.grad(F.cross_entropy(reader(inputs), labels), list(reader.parameters()))
        squares.append(sum(g.square().sum() for g in gradients))
    return torch.stack(squares).mean().item()


total = sum(part.sum() for part in true.values()).item()
rows = [(t("per example, labels from the model", "każdy przykład, etykiety z modelu"), sum(part.sum() for part in drawn.values()).item()),
        (t("per example, true labels", "każdy przykład, prawdziwe etykiety"), total)]
squares = {size: square_of_mean(size) for size in (16, 64, 256)}
rows += [(t(f"mean gradient of {size}, squared", f"średni gradient z {size}, do kwadratu"), square) for size, square in squares.items()]
table([(name, value, f"{total / value:.1f} ×" if number else "–") for number, (name, value) in enumerate(rows)],
      [t("importance", "ważność"), t("sum over the weights", "suma po wagach"), t("smaller than with true labels by", "mniejsza niż z prawdziwymi etykietami")])

# %%
fig, axes = plt.subplots(1, 3, figsize=(8.4, 3))
pictures = x.mean(0), drawn["0.weight"].sum(0), true["0.weight"].sum(0)
titles = t("mean digit", "średnia cyfra"), t("importance, drawn labels", "ważność, etykiety losowane"), t("importance, true labels", "ważność, etykiety prawdziwe")
for ax, picture, title in zip(axes, pictures, titles):
    ax.imshow(picture.view(28, 28))
    ax.set(xticks=[], yticks=[], title=title)
show(fig, alt=t("Three pictures of 28 by 28 pixels: the mean digit, and how much the weights of each pixel matter; at the rim the importance is 0.",
                "Trzy obrazy 28 na 28 pikseli: średnia cyfra oraz to, jak ważne są wagi każdego piksela; na brzegu ważność jest zerem."))

# %% [markdown] lang="en"
# The batches behave as the formula says: in batches of 16 the importance is too small by nearly the factor $B$, in those of 256 by clearly less, for $\bar g$ is not quite 0, and its term does not shrink with $B$. The two Fishers differ by a factor that depends on how well the network has learned its examples, but they agree on *which* weights matter (the brighter, the more): those of the pixels where there is ink, for the gradient of such a weight has the pixel's value as a factor. At the rim, where no digit has any, the importance is 0: there task B may do as it likes.
#
# **Learning without forgetting** (Li & Hoiem 2016, [arXiv 1606.09282](https://arxiv.org/abs/1606.09282)) ties down the *answers* instead of the weights. Keep a copy of the network as it was. On the inputs of the *new* task (there are no others) the outputs for the old classes should stay what the copy says (the paper has an output layer for each task, and one such term for each old one), softened by a temperature $\tau$ as in [lesson 10](10_policy_distillation.ipynb); the paper takes $\tau = 2$. With $z$ the logits for the old classes and $z^{\text{old}}$ those of the copy,
#
# $$L(\theta) = L_B(\theta) + \mu\; \mathbb{E}_{x \in D_B} \Big[ -\sum_c p_c \log q_c \Big], \qquad p = \mathrm{softmax}(z^{\text{old}} / \tau), \quad q = \mathrm{softmax}(z / \tau) .$$
#
# It needs no old data and no importance of weights, only one copy. But it asks the copy about inputs that the copy has never seen. If those look unlike the old ones, the old answers are held where nobody will ever need them.
#
# **Replay** keeps a few examples: a memory of $K$. Each step trains on a batch of new examples and one from the memory. Which to keep of a stream whose length nobody knows? **Reservoir sampling** (Vitter 1985): put the first $K$ in; let each later one, the $n$-th, draw a whole number from 0 to $n - 1$, all equally likely, and if it is below $K$, the example takes that place. Then, after $N$ examples, each of them is in the memory with probability $K/N$, as the $n$-th enters with probability $K/n$ and each later one, $m$, throws it out with probability $\frac{K}{m} \cdot \frac1K$:
#
# $$\frac{K}{n} \prod_{m=n+1}^{N} \Big(1 - \frac1m\Big) = \frac{K}{n} \cdot \frac{n}{n+1} \cdot \frac{n+1}{n+2} \cdots \frac{N-1}{N} = \frac{K}{N} .$$
#
# (One of the first $K$ is in for certain, and its product begins at $m = K + 1$: again $K/N$.) A uniform sample of everything seen so far: replay is joint training on a small sample of the past.
# %% [markdown] lang="pl"
# Paczki zachowują się tak, jak mówi wzór: przy 16 przykładach wynik jest za mały prawie $B$ razy, a przy 256 wyraźnie mniej, bo $\bar g$ nie jest dokładnie zerem, a jego składnik nie maleje z $B$. Obie informacje Fishera różnią się czynnikiem zależnym od tego, jak dobrze sieć nauczyła się swoich przykładów, ale zgadzają się co do tego, *które* wagi są ważne (im jaśniej, tym ważniejsze): te przy pikselach z atramentem, bo gradient takiej wagi zawiera wartość piksela jako czynnik. Na brzegu, gdzie żadna cyfra nie ma atramentu, ważność jest zerem: tam zadanie B może robić, co chce.
#
# **Uczenie bez zapominania** (LwF; Li i Hoiem 2016, [arXiv 1606.09282](https://arxiv.org/abs/1606.09282)) przywiązuje nie wagi, tylko *odpowiedzi*. Zachowaj kopię sieci sprzed nowego zadania. Na wejściach *nowego* zadania (innych nie ma) wyjścia dla dawnych klas mają pozostać takie, jak mówi kopia (w artykule każde zadanie ma własną warstwę wyjściową, a każde dawne zadanie własny taki składnik), zmiękczone temperaturą $\tau$ jak w [lekcji 10](10_policy_distillation.ipynb); w artykule $\tau = 2$. Gdy $z$ to logity dawnych klas, a $z^{\text{old}}$ logity kopii,
#
# $$L(\theta) = L_B(\theta) + \mu\; \mathbb{E}_{x \in D_B} \Big[ -\sum_c p_c \log q_c \Big], \qquad p = \mathrm{softmax}(z^{\text{old}} / \tau), \quad q = \mathrm{softmax}(z / \tau) .$$
#
# Nie trzeba dawnych danych ani ważności wag, tylko jednej kopii. Kopia odpowiada jednak na wejścia, których nigdy nie widziała. Jeśli nie przypominają dawnych, dawne odpowiedzi są utrwalane tam, gdzie nikomu się nie przydadzą.
#
# **Powtarzanie** zachowuje kilka przykładów: pamięć o pojemności $K$. Każdy krok trenuje na paczce nowych przykładów i paczce z pamięci. Które zachować ze strumienia, którego długości nikt nie zna? **Próbkowanie rezerwuarowe** (ang. *reservoir sampling*; Vitter 1985): pierwsze $K$ włóż do pamięci; każdy następny, $n$-ty, niech losuje liczbę całkowitą od 0 do $n - 1$, każdą z tą samą szansą, a jeśli jest mniejsza niż $K$, przykład zajmuje to miejsce. Po $N$ przykładach każdy z nich jest wtedy w pamięci z prawdopodobieństwem $K/N$, bo $n$-ty wchodzi z prawdopodobieństwem $K/n$, a każdy późniejszy, $m$-ty, wyrzuca go z prawdopodobieństwem $\frac{K}{m} \cdot \frac1K$:
#
# $$\frac{K}{n} \prod_{m=n+1}^{N} \Big(1 - \frac1m\Big) = \frac{K}{n} \cdot \frac{n}{n+1} \cdot \frac{n+1}{n+2} \cdots \frac{N-1}{N} = \frac{K}{N} .$$
#
# (Jeden z pierwszych $K$ jest w pamięci na pewno, a jego iloczyn zaczyna się od $m = K + 1$: znów $K/N$.) To jednostajna próbka wszystkiego, co dotąd było: powtarzanie to trening łączny na małej próbce przeszłości.

# %%
show_source(lwf_loss, Reservoir.add)

# %% [markdown] lang="en"
# ## The experiment
#
# Four streams of five tasks, all from the same 5,000 digits, 4,000 to learn from and 1,000 to test on. What the network is told, and what it must answer, makes all the difference (the names of the scenarios are those of van de Ven & Tolias 2019, [arXiv 1904.07734](https://arxiv.org/abs/1904.07734)):
#
# - **which of two** (task-incremental): two digits per task; at the test the task is given, and the network only chooses between its two digits,
# - **even or odd** (domain-incremental): as above; the task is not given, and need not be, for the answers are always the same two,
# - **which of ten** (class-incremental): two new digits per task; the task is not given, and the network must choose among *all ten*,
# - **permuted** (domain-incremental): all ten digits in each task, the same 1,000 pictures, but their pixels shuffled, by another fixed order each time.
#
# Always the same network and the same optimiser (Adam), three epochs per task: naive; EWC with $\lambda = 1000$, for the permuted digits 100; LwF with $\mu = 1$; replay of 200 images, one in twenty (it sees twice as many examples per step as the others); and joint training. The strengths were chosen on two other seeds. Naive training is the same code without any protection. (*Which of two* and *permuted* are in the recorded runs only.)
# %% [markdown] lang="pl"
# ## Eksperyment
#
# Cztery strumienie po pięć zadań, wszystkie z tych samych 5000 cyfr: 4000 do nauki i 1000 do sprawdzenia. O wszystkim decyduje to, co sieć wie i co ma odpowiedzieć (nazwy scenariuszy wprowadzili van de Ven i Tolias 2019, [arXiv 1904.07734](https://arxiv.org/abs/1904.07734)):
#
# - **która z dwóch** (scenariusz zadaniowy, ang. *task-incremental*): po dwie cyfry w zadaniu; w teście zadanie jest znane i sieć wybiera tylko między jego dwiema cyframi,
# - **parzysta czy nie** (scenariusz domenowy, ang. *domain-incremental*): jak wyżej; zadanie nie jest znane i nie musi, bo odpowiedzi są zawsze te same dwie,
# - **która z dziesięciu** (scenariusz klasowy, ang. *class-incremental*): po dwie nowe cyfry w zadaniu; zadanie nie jest znane, a sieć musi wybrać jedną z *wszystkich dziesięciu*,
# - **permutacje** (scenariusz domenowy): w każdym zadaniu wszystkie dziesięć cyfr, te same 1000 obrazów, ale piksele są pomieszane, za każdym razem w innej stałej kolejności.
#
# Zawsze ta sama sieć i ten sam optymalizator (Adam), po trzy epoki na zadanie: trening naiwny; EWC z $\lambda = 1000$, dla permutacji 100; LwF z $\mu = 1$; powtarzanie 200 obrazów, czyli jednej dwudziestej wszystkich (w każdym kroku widzi dwa razy więcej przykładów niż inne metody); i trening łączny. Siły dobrano na dwóch innych ziarnach losowości. Trening naiwny to ten sam kod bez żadnej ochrony. (Strumienie *która z dwóch* i *permutacje* są tylko w zapisanych przebiegach.)

# %% tags=["predict"]
guess = Prediction(
    t("Class-incremental, without any old pictures: how much of the gap between naive and joint training does EWC close?",
      "Scenariusz klasowy, bez żadnych dawnych obrazów: jaką część straty do treningu łącznego odrobi EWC w porównaniu z treningiem naiwnym?"),
    [t("most of it", "większość"), t("about half", "mniej więcej połowę"), t("hardly any", "prawie nic")],
)
guess

# %%
names = {"naive": t("naive", "naiwny"), "ewc": "EWC", "online ewc": t("EWC, online", "EWC online"), "lwf": "LwF", "replay": t("replay", "powtarzanie"), "joint": t("joint", "łączny")}
streams = {"task": t("which of two", "która z dwóch"), "domain": t("even or odd", "parzysta czy nie"), "class": t("which of ten", "która z dziesięciu"), "permuted": t("permuted", "permutacje")}


def protection(method, seed):
    return {"naive": {}, "ewc": {"ewc": EWC(), "ewc_strength": 1000}, "lwf": {"lwf_strength": 1}, "replay": {"memory": Reservoir(200, seed)}}[method]


def learn(stream, method, seed):
    seed_everything(seed)
    tasks, model = split_digits(stream, seed=seed), network(2 if stream == "domain" else 10)
    how = {"epochs": 3, "seed": seed, "progress": False}
    if method == "joint":
        return train_jointly(model, tasks, **how).expand(5, 5)
    return train_stream(model, tasks, **how, **protection(method, seed))


METHODS, seeds = ("naive", "ewc", "lwf", "replay", "joint"), range(3 * SEED, 3 * SEED + 3)
live = {stream: {method: torch.stack([learn(stream, method, seed) for seed in seeds]) for method in METHODS} for stream in ("domain", "class")}

# %%
def measures(matrices):
    kept = [average_accuracy(matrix) for matrix in matrices], [forgetting(matrix) for matrix in matrices]
    return *(np.mean(values) for values in kept), matrices.diagonal(dim1=1, dim2=2).mean().item()


def closed(accuracy, method):
    return (accuracy[method] - accuracy["naive"]) / (accuracy["joint"] - accuracy["naive"])


said = {stream: {method: measures(matrices) for method, matrices in runs.items()} for stream, runs in live.items()}
for stream in live:
    table([(names[method], *(f"{value:.2f}" for value in said[stream][method])) for method in METHODS], [streams[stream], "ACC", "FGT", t("just learned", "tuż po nauce")])
even, ten = ({method: sums[0] for method, sums in runs.items()} for runs in said.values())
gain = closed(ten, "ewc")
guess.compare(0 if gain > 0.65 else 1 if gain > 0.35 else 2)
fig, axes = plt.subplots(2, 3, figsize=(10, 6.4), sharey=True)
for row, stream in zip(axes, ("domain", "class")):
    for ax, method in zip(row, ("naive", "ewc", "replay")):
        draw_matrix(ax, live[stream][method].mean(0), [task.name for task in tasks], f"{names[method]}, {streams[stream]}")
show(fig, alt=t("Six matrices of accuracies. Even or odd: naive falls to the left of the diagonal, EWC less, replay little. Which of ten: with all but replay almost everything left of the diagonal is 0.",
                "Sześć macierzy dokładności. Parzysta czy nie: trening naiwny traci na lewo od przekątnej, EWC mniej, powtarzanie mało. Która z dziesięciu: u wszystkich poza powtarzaniem na lewo od przekątnej prawie wszędzie jest 0."))

# %% [markdown] lang="en"
# (Means of three seeds; *just learned* is the mean of the diagonal, the accuracy on each task right after it.) **Even or odd**: EWC closes about a third of the gap between naive and joint training, replay more than two thirds. **Which of ten**: naive training ends below a fifth: it knows the last of the five tasks, not even that one perfectly, and nothing else; LwF likewise; EWC is hardly better; only replay helps. More on that below.
#
# **The paper that named the scenarios** (van de Ven & Tolias 2019) reports for split MNIST, average accuracy in %:
#
# | | none | EWC | LwF | generative replay | joint |
# | --- | --- | --- | --- | --- | --- |
# | which of two | 87.19 | 98.64 | 99.57 | 99.50 | 99.66 |
# | even or odd | 59.21 | 63.95 | 71.50 | 95.72 | 98.42 |
# | which of ten | 19.90 | 20.01 | 23.85 | 90.79 | 97.94 |
#
# They had all of MNIST, fifteen times as many pictures to learn from, two layers of 400, 2000 steps per task, and a second network that *paints* old digits instead of a memory that keeps them. Compare the order, not the numbers: which of two is easy for everyone, which of ten is for replay alone. Kirkpatrick et al. showed EWC on permuted MNIST and on ten Atari games in turns, not on a class-incremental stream.
# %% [markdown] lang="pl"
# (Średnie dla trzech ziaren losowości; *tuż po nauce* to średnia przekątnej, czyli dokładność w każdym zadaniu zaraz po nim.) **Parzysta czy nie**: trening naiwny dużo traci do łącznego; EWC odrabia mniej więcej jedną trzecią tej straty, powtarzanie ponad dwie trzecie. **Która z dziesięciu**: trening naiwny kończy poniżej jednej piątej: umie ostatnie z pięciu zadań, i to nie całkiem, a poza tym nic; LwF tak samo; EWC jest ledwie lepsze; pomaga tylko powtarzanie. Więcej o tym niżej.
#
# **Artykuł, od którego pochodzą nazwy scenariuszy** (van de Ven i Tolias 2019), podaje dla podzielonego MNIST średnią dokładność w %:
#
# | | bez ochrony | EWC | LwF | powtarzanie generatywne | łączny |
# | --- | --- | --- | --- | --- | --- |
# | która z dwóch | 87,19 | 98,64 | 99,57 | 99,50 | 99,66 |
# | parzysta czy nie | 59,21 | 63,95 | 71,50 | 95,72 | 98,42 |
# | która z dziesięciu | 19,90 | 20,01 | 23,85 | 90,79 | 97,94 |
#
# Mieli cały MNIST, piętnaście razy więcej obrazów do nauki, dwie warstwy po 400, po 2000 kroków na zadanie, a zamiast pamięci drugą sieć, która dawne cyfry *maluje*. Porównuj kolejność, nie liczby: „która z dwóch” jest łatwa dla każdego, „która z dziesięciu” tylko dla powtarzania. Kirkpatrick i in. pokazali EWC na permutacjach MNIST i na dziesięciu grach Atari na zmianę, ale nie na strumieniu klasowym.

# %%
record = recorded("continual_learning")
kept = {stream: {method: torch.tensor(matrices) for method, matrices in runs.items()} for stream, runs in record.results["streams"].items()}
kept = {stream: {method: m if m.ndim == 3 else m[:, None].expand(-1, 5, -1) for method, m in runs.items()} for stream, runs in kept.items()}
record.note()
for title, measure in ((t("average accuracy", "średnia dokładność"), average_accuracy), (t("forgetting", "zapominanie"), forgetting)):
    table([(name, *(mean_pm([measure(m) for m in kept[stream][method]]) for stream in streams)) for method, name in names.items()], [title, *streams.values()])

# %% [markdown] lang="en"
# Ten seeds, five epochs per task, ± half of a 95 % interval. Where the task is given, everything works and even naive training loses little: each task has two outputs of its own, and only the layers below can be overwritten. Online EWC does as well as EWC, and on *permuted* a little better. On *even or odd* replay is far ahead, and on *which of ten* it is alone. On *permuted* both EWCs stand level with it, without a single old picture: they halve the forgetting, and more. But the average rises by less than the forgetting falls, for with springs each new task is learned a little less well. Springs hold, and they hold back.
#
# **Explore** how $\lambda$ trades **plasticity**, learning the new, for memory, keeping the old. Each grey dot is one $\lambda$, written beside it from 10 upwards: to the right the tasks are learned better, upwards the old ones are kept better; the stars are replay and joint training. Where does *permuted* turn over? Does the $\lambda = 1$ of the theory do anything? And which $\lambda$ saves *which of ten*?
# %% [markdown] lang="pl"
# Dziesięć ziaren losowości, po pięć epok na zadanie, ± to połowa 95-procentowego przedziału ufności (ang. *confidence interval*). Gdy zadanie jest znane, działa wszystko i nawet trening naiwny traci niewiele: każde zadanie ma dwa własne wyjścia i nadpisać można tylko warstwy pod nimi. EWC online jest równie dobre jak EWC, a na permutacjach odrobinę lepsze. W strumieniu *parzysta czy nie* powtarzanie jest daleko z przodu, a w strumieniu *która z dziesięciu* zostaje samo. W strumieniu *permutacje* oba rodzaje EWC mu dorównują, bez ani jednego dawnego obrazu: zmniejszają zapominanie o ponad połowę. Średnia rośnie jednak mniej, niż maleje zapominanie, bo ze sprężynami sieć uczy się każdego nowego zadania trochę gorzej. Sprężyny trzymają i zarazem hamują.
#
# **Zbadaj**, jak $\lambda$ wymienia **plastyczność** (ang. *plasticity*), czyli uczenie się nowego, na pamięć, czyli zachowanie dawnego. Każda szara kropka to jedno $\lambda$, od 10 w górę podpisane obok: im dalej w prawo, tym lepiej opanowane zadania, im wyżej, tym lepiej zachowane dawne; gwiazdki to powtarzanie i trening łączny. Gdzie zawracają *permutacje*? Czy $\lambda = 1$ z teorii cokolwiek robi? I które $\lambda$ ratuje strumień *która z dziesięciu*?

# %% tags=["widget"]
values = [int(value) for value in record.results["strengths"]["values"]]
curves = {name: torch.tensor(record.results["strengths"][stream]).mean(1) for stream, name in streams.items()}


def draw(stream, strength):
    matrices, of = curves[stream], {name: key for key, name in streams.items()}[stream]
    fig, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.8))
    accuracy = matrices[values.index(strength)]
    draw_matrix(left, accuracy, [*"12345"], f"{stream}, λ = {strength}")
    learned, remembered = matrices.diagonal(dim1=1, dim2=2).mean(1), matrices[:, -1, :-1].mean(1)
    right.plot(learned, remembered, "o-", color=palette("grey"), markersize=4)
    for value, *place in zip(values, learned, remembered):
        if value >= 10:
            right.annotate(f"{value:,}".replace(",", " "), place, xytext=(-6, 5), textcoords="offset points", fontsize=8, ha="right", color=palette("grey"))
    point = learned[values.index(strength)].item(), remembered[values.index(strength)].item()
    right.plot(*point, "o", color=palette("blue"), markersize=11, label="EWC")
    for method, colour in (("replay", "green"), ("joint", "red")):
        mean = kept[of][method].mean(0)
        right.plot(mean.diagonal().mean(), mean[-1, :-1].mean(), "*", color=palette(colour), markersize=13, label=names[method])
    right.set(xlabel=t("plasticity: just learned", "plastyczność: tuż po nauce"), ylabel=t("memory: old tasks at the end", "pamięć: dawne zadania na końcu"), xlim=(0.52, 1.02), ylim=(-0.02, 1.02))
    right.legend(loc="center left")
    return fig, t("{}, λ = {}: just learned {:.2f}, old tasks at the end {:.2f}.", "{}, λ = {}: tuż po nauce {:.2f}, dawne zadania na końcu {:.2f}.").format(stream, strength, *point)


explorer = explore(draw, stream=list(curves), strength=values, labels={"stream": t("stream", "strumień"), "strength": t("strength λ", "siła λ")})
explorer.controls["stream"].value, explorer.controls["strength"].value = streams["permuted"], 100
explorer

# %% [markdown] lang="en"
# With $\lambda = 1$ next to nothing happens: after three approximations the springs are far too slack, and a large $\lambda$ stiffens the right ones and the wrong ones alike. On *permuted* the curve turns back beyond 100: from there on even the *old* tasks do worse at the end, for what was never learned well cannot be kept. On *even or odd* memory can be bought, at a growing price: at $\lambda = 10\,000$, ten times what we had chosen on two other seeds, EWC closes about half of the gap to joint training instead of a third, and pays with the newest task: there it is wrong more than a quarter of the time. Beyond, the average falls, too. On *which of ten* there is next to nothing to buy.
#
# ## When it fails
#
# **Class by class.** Why does no $\lambda$ save *which of ten*? There are two reasons. The first: look at the gradient of the cross-entropy with respect to the logits, $q_c - p_c$, where $q_c$ is the probability that the network gives to class $c$, and $p_c$ is 1 at the label and 0 elsewhere. Task 2 has no example of the classes 0 and 1, so every step pushes their logits *down*, and nothing ever pushes them up. The springs should hold against it, but just there they are slack: after task 1 the network is certain, and where softmax is saturated every gradient is almost 0, and with it $F$. The table at the end of this part shows it: from one epoch on task 1 to ten the network grows more certain, and $F$ smaller, depending on the seed by a factor of a few to tens of thousands. (Only one label is drawn per example, so a single rare draw of a wrong one can decide the whole sum.) At $\theta^*$ the floor of the valley is flat, and further out its side rises like a cliff; a parabola fitted at $\theta^*$ does not see the cliff, and no factor $\lambda$ puts it there. Bayes' rule was right; the parabola of step 1 is the first thing to break.
#
# The second: stiff springs do not help either. In the first row of the table they are far stiffer than in the last, and 0 and 1 are forgotten all the same. With a huge $\lambda$ each new pair is still learned, a little less well, until at $\lambda = 100\,000$ the network gets only half of the last one right; and of the old digits fewer than one in ten. For no batch ever holds a 0 beside a 2, so nothing says how to tell *those* apart: neither the data nor the springs. Replay does: it puts the 0 beside the 2. (The last two columns of the table: with $\lambda = 1000$, how much of 0 and 1 survives, and how well 2 and 3 are learned.)
#
# **Learning without forgetting** holds the softmax *among the old classes*. Add the same number to all the old logits, and that softmax does not change. So they may sink together below the new ones, and class by class just that happens. And the copy has never seen anything like the permuted digits; its answers to them are worth nothing, and holding them protects nothing.
#
# **Springs that hold too tight.** With every task there are more springs, and at some point nothing moves any more: on the permuted digits a large $\lambda$ remembers the first task and hardly learns the last.
# %% [markdown] lang="pl"
# Przy $\lambda = 1$ prawie nic się nie dzieje: po trzech przybliżeniach sprężyny są o wiele za luźne, a duże $\lambda$ usztywnia na równi właściwe i niewłaściwe. W strumieniu *permutacje* krzywa zawraca powyżej 100: dalej nawet *dawne* zadania kończą gorzej, bo czego sieć nigdy dobrze nie umiała, tego nie zachowa. W strumieniu *parzysta czy nie* pamięć można kupić, coraz drożej: przy $\lambda = 10\,000$, dziesięć razy większym niż wybrane na dwóch innych ziarnach, EWC odrabia mniej więcej połowę straty do treningu łącznego zamiast jednej trzeciej, ale płaci za to w najnowszym zadaniu: myli się tam w ponad jednej czwartej przypadków. Dalej spada już i średnia. W strumieniu *która z dziesięciu* prawie nie ma czego kupować.
#
# ## Kiedy to zawodzi
#
# **Klasa po klasie.** Dlaczego żadne $\lambda$ nie ratuje strumienia *która z dziesięciu*? Są dwie przyczyny. Pierwsza: spójrz na gradient entropii krzyżowej względem logitów, $q_c - p_c$, gdzie $q_c$ to prawdopodobieństwo, które sieć daje klasie $c$, a $p_c$ to 1 przy etykiecie i 0 poza nią. W zadaniu 2 nie ma przykładów klas 0 i 1, więc każdy krok spycha ich logity *w dół* i nic nigdy nie pcha ich w górę. Sprężyny powinny się temu oprzeć, ale właśnie tam są luźne: po zadaniu 1 sieć jest pewna, a gdzie softmax jest nasycony, tam każdy gradient jest prawie zerem, a z nim $F$. Pokazuje to tabela na końcu tej części: między jedną a dziesięcioma epokami zadania 1 sieć nabiera pewności, a $F$ maleje, zależnie od ziarna losowości od kilku do kilkudziesięciu tysięcy razy. (Dla każdego przykładu losuje się tylko jedną etykietę, więc o całej sumie może rozstrzygnąć jedno rzadkie losowanie błędnej etykiety.) W $\theta^*$ dolina jest płaska, a dalej jej zbocze wznosi się jak urwisko; parabola dopasowana w $\theta^*$ urwiska nie widzi i żaden czynnik $\lambda$ go tam nie postawi. Wzór Bayesa miał rację; najpierw zawodzi parabola z kroku 1.
#
# Druga: sztywne sprężyny też nie pomagają. W pierwszym wierszu tabeli są o wiele sztywniejsze niż w ostatnim, a 0 i 1 i tak przepadają. Przy ogromnym $\lambda$ każdej nowej pary sieć wciąż się uczy, tylko trochę gorzej, a przy $\lambda = 100\,000$ w ostatniej trafia już tylko w połowie przypadków; z dawnych cyfr poprawnie rozpoznaje wtedy mniej niż jedną dziesiątą. W żadnej paczce nie ma bowiem 0 obok 2, więc tego, jak odróżnić *te dwie*, nie mówi nic: ani dane, ani sprężyny. Powtarzanie mówi: stawia 0 obok 2. (Dwie ostatnie kolumny tabeli: ile z 0 i 1 przetrwa przy $\lambda = 1000$ i jak dobrze sieć nauczy się 2 i 3.)
#
# **Uczenie bez zapominania** utrzymuje softmax *wśród dawnych klas*. Dodaj tę samą liczbę do wszystkich dawnych logitów, a ten softmax się nie zmieni. Mogą więc razem opaść poniżej nowych i w scenariuszu klasowym właśnie to się dzieje. A niczego podobnego do cyfr po permutacji kopia nigdy nie widziała; jej odpowiedzi nic tam nie są warte, a ich utrzymywanie niczego nie chroni.
#
# **Sprężyny, które trzymają za mocno.** Z każdym zadaniem sprężyn przybywa i w końcu nic już się nie rusza: na permutacjach przy dużym $\lambda$ sieć pamięta pierwsze zadanie, a ostatniego prawie się nie uczy.

# %%
certainty, (one, two) = [], split_digits("class", seed=SEED)[:2]
for epochs in (1, 3, 10):
    seed_everything(SEED)
    model, springs = network(10), EWC()
    train_stream(model, [one], ewc=springs, epochs=epochs, seed=SEED, progress=False)
    sure, stiff = model(one.test[0]).softmax(1).gather(1, one.test[1][:, None]).mean().item(), sum(part.sum().item() for part in springs.fisher.values())
    train_stream(model, [two], ewc=springs, ewc_strength=1000, epochs=3, seed=SEED, progress=False)
    certainty.append((str(epochs), f"{sure:.5f}", stiff, task_accuracy(model, one), task_accuracy(model, two)))
table([(first, sure, f"{stiff:.1e}", *rest) for first, sure, stiff, *rest in certainty], [t("epochs on 0 and 1", "epoki na 0 i 1"), t("probability of the right class", "prawdopodobieństwo właściwej klasy"), t("sum of F", "suma F"), t("accuracy on 0 and 1 after 2 and 3", "dokładność dla 0 i 1 po 2 i 3"), t("on 2 and 3", "dla 2 i 3")])

# %% [markdown] lang="en"
# ## In robotics
#
# A robot learns for years. Its data come once, in an order that nobody chose; its memory is limited; and pictures from a home, or of a customer's product, may often not be kept at all. Lesort et al. 2020 ([arXiv 1907.00182](https://arxiv.org/abs/1907.00182)) survey continual learning from the robot's side. CORe50 (Lomonaco & Maltoni 2017, [arXiv 1705.03550](https://arxiv.org/abs/1705.03550)) is a data set made for it: 50 household objects, filmed in the hand in eleven sessions with different backgrounds and light. It has three streams: new pictures of known classes, new classes, or both at once. And in [lesson 10](10_policy_distillation.ipynb) you met a robot that learned three tasks one after the other (Traoré et al. 2019, [arXiv 1907.05855](https://arxiv.org/abs/1907.05855)): it kept states together with the old teachers' answers, replay and LwF in one.
#
# **The case: inspecting circuit boards.** A frozen pretrained network makes 1280 features of each picture ([lesson 01](01_feature_extraction.ipynb)); a small network on top of them is trained continually, on two streams:
#
# - *product by product*: five products one after the other, each with its own colour, light and camera, and the same six classes,
# - *defect by defect*: all products mixed, but at first only *no defect* and *missing part*, then two more classes, then the last two; at the end it must choose among all six. That is class-incremental.
#
# The settings are those of the digits (EWC with $\lambda = 1000$, LwF with $\mu = 1$, a memory of 200 examples, three seeds), but ten epochs per task. The features are centred and scaled by what the first product shows, all that a factory knows at the start.
#
# For the defects there is one more candidate, from [lesson 08](08_prototypical_networks.ipynb): the nearest **prototype**, the mean of the features of each class. It is not trained; a new class brings a mean of its own, and the other means stay.
# %% [markdown] lang="pl"
# ## W robotyce
#
# Robot uczy się latami. Dane przychodzą raz, w kolejności, której nikt nie wybierał; pamięć jest ograniczona; a zdjęć z domu albo zdjęć produktu klienta często w ogóle nie wolno zachować. Lesort i in. 2020 ([arXiv 1907.00182](https://arxiv.org/abs/1907.00182)) dają przegląd uczenia ciągłego od strony robota. Stworzono do tego zbiór danych CORe50 (Lomonaco i Maltoni 2017, [arXiv 1705.03550](https://arxiv.org/abs/1705.03550)): 50 przedmiotów domowych, trzymanych w ręce i sfilmowanych w jedenastu sesjach, na różnym tle i w różnym świetle. Ma trzy strumienie: nowe zdjęcia znanych klas, nowe klasy albo jedno i drugie naraz. A w [lekcji 10](10_policy_distillation.ipynb) był robot, który nauczył się trzech zadań jedno po drugim (Traoré i in. 2019, [arXiv 1907.05855](https://arxiv.org/abs/1907.05855)): zachowywał stany razem z odpowiedziami dawnych nauczycieli, czyli powtarzanie i LwF w jednym.
#
# **Przykład: kontrola płytek drukowanych.** Zamrożona, wstępnie wytrenowana sieć robi z każdego zdjęcia 1280 cech ([lekcja 01](01_feature_extraction.ipynb)); małą sieć na nich trenujemy w sposób ciągły, na dwóch strumieniach:
#
# - *produkt po produkcie*: pięć produktów, każdy z własnym kolorem, światłem i kamerą, i zawsze te same sześć klas,
# - *wada po wadzie*: wszystkie produkty razem, ale najpierw tylko *bez wad* i *brak elementu*, potem dwie następne klasy, na koniec dwie ostatnie; po wszystkim trzeba wybrać jedną z sześciu. To scenariusz klasowy.
#
# Ustawienia są takie jak dla cyfr (EWC z $\lambda = 1000$, LwF z $\mu = 1$, pamięć na 200 przykładów, trzy ziarna losowości), tylko epok jest dziesięć na zadanie. Cechy są wycentrowane i przeskalowane według pierwszego produktu, bo na początku fabryka zna tylko jego.
#
# Dla wad jest jeszcze jeden kandydat, z [lekcji 08](08_prototypical_networks.ipynb): najbliższy **prototyp**, czyli średnia cech każdej klasy. Nie trzeba go trenować; nowa klasa wnosi własną średnią, a pozostałe średnie się nie zmieniają.

# %%
products, extractor = board_products(100, 60, seed=SEED), FeatureExtractor()
pixels = torch.cat([part[0] for task in products for part in (task.train, task.test)])
features = extractor.extract_features(pixels, progress=False)
pieces = iter(((features - features[:100].mean(0)) / features[:100].std()).split([100, 60] * 5))
boards = [replace(task, train=(next(pieces), task.train[1]), test=(next(pieces), task.test[1])) for task in products]

# %%
learned, tested = ([torch.cat(column) for column in zip(*(getattr(task, part) for task in boards))] for part in ("train", "test"))


def pair(first):
    return Task(", ".join(t(*CLASS_NAMES[name]) for name in CLASSES[first : first + 2]), *((x[y // 2 == first // 2], y[y // 2 == first // 2]) for x, y in (learned, tested)))


defects = [pair(first) for first in (0, 2, 4)]


def head():
    return nn.Sequential(nn.Linear(1280, 64), nn.ReLU(), nn.Linear(64, 6))


def inspect(stream, method, seed):
    seed_everything(seed)
    how, model = {"epochs": 10, "seed": seed, "progress": False}, head()
    if method == "joint":
        return train_jointly(model, stream, **how).expand(len(stream), -1)
    return train_stream(model, stream, **how, **protection(method, seed))


factory = [{method: torch.stack([inspect(stream, method, seed) for seed in seeds]) for method in METHODS} for stream in (boards, defects)]

prototypes, _ = class_prototypes(*learned)
by_prototype = torch.tensor([[task_accuracy(prototype_classifier(prototypes[: 2 * known]), task) for task in defects] for known in (1, 2, 3)])
weights = sum(parameter.numel() for parameter in head().parameters())
numbers = {"naive": 0, "ewc": 2 * weights, "lwf": weights, "replay": 200 * 1280, "joint": learned[0].numel()}
inspected = {method: [measures(runs[method])[:2] for runs in factory] for method in numbers}
rows = [(names[method], *inspected[method][0], *inspected[method][1], f"{4 * number / 1000:.0f} kB") for method, number in numbers.items()]
rows.append((t("prototypes", "prototypy"), None, None, average_accuracy(by_prototype), forgetting(by_prototype), f"{4 * prototypes.numel() / 1000:.0f} kB"))
table(rows, ["", t("products: ACC", "produkty: ACC"), "FGT", t("defects: ACC", "wady: ACC"), "FGT", t("kept", "co trzeba przechować")])

# %% [markdown] lang="en"
# **Product by product** there is next to nothing to prevent: even naive training forgets little, for the products look so alike to the pretrained network that a later one sometimes even helps the earlier ones. Springs have nothing to save here: from seed to seed they are now a little in the way of learning, now a little help. Forgetting happens in the weights that are trained; **what is frozen cannot forget**. **Defect by defect** is another matter. Naive training is left with little more than the newest defects, and LwF with hardly more. EWC mends more than it did among the ten digits, presumably because these pictures are hard: the network is less certain, its gradients do not vanish, and its springs are stiff. Replay does best; but its memory holds the features of 200 of the 500 pictures, two in five. (Set `"epochs": 10` to 6 and run the cell again: does EWC gain or replay, and why?) The prototypes come close to EWC, with a twentieth of its memory, no training and no $\lambda$ to choose. (Their FGT is not 0: no mean has moved, but with every new class there is one more to be mistaken for.)
#
# Look at the last column, too. EWC keeps two numbers per weight, which here is less than our memory of examples; but the network decides how many that are, while the size of a memory is up to you. So saving room is a weak case for EWC; the better one is not being allowed to keep any example.
#
# What follows for a robot: freeze what you can; keep examples if you may; means if you may not; springs where weights must move and no example may stay.
#
# ## Exercises
#
# **1. Forgetting.** `accuracy` is a tensor of shape $(T, T)$: row $i$ is the time after task $i$, column $j$ the task. Return FGT, the forgetting, by the formula above, as a tensor with one number. Do not use the package's function.
# %% [markdown] lang="pl"
# **Produkt po produkcie** prawie nie ma czemu zapobiegać: nawet trening naiwny mało zapomina, bo dla wstępnie wytrenowanej sieci produkty są tak podobne, że późniejszy czasem nawet pomaga wcześniejszym. Sprężyny nie mają tu czego ratować: zależnie od ziarna losowości raz trochę przeszkadzają w nauce, a raz trochę pomagają. Zapominają wagi, które się trenuje; **co jest zamrożone, nie zapomina**. Z **wadami po kolei** jest inaczej. Treningowi naiwnemu zostaje niewiele więcej niż najnowsze wady, a LwF prawie tyle samo. EWC naprawia więcej niż przy dziesięciu cyfrach, prawdopodobnie dlatego, że te zdjęcia są trudne: sieć jest mniej pewna, gradienty nie znikają, a sprężyny są sztywne. Najlepsze jest powtarzanie; jego pamięć mieści jednak wektory cech 200 z 500 zdjęć, czyli dwie piąte. (Zmień `"epochs": 10` na 6 i wykonaj komórkę jeszcze raz: czy zyskuje EWC, czy powtarzanie, i dlaczego?) Prototypy są blisko EWC, z jedną dwudziestą jego pamięci, bez treningu i bez $\lambda$ do dobrania. (Ich FGT nie jest zerem: żadna średnia się nie przesunęła, ale z każdą nową klasą przybywa jedna, z którą można się pomylić.)
#
# Spójrz też na ostatnią kolumnę. EWC przechowuje dwie liczby na wagę, co tutaj daje mniej niż nasza pamięć przykładów; o tej liczbie decyduje jednak sieć, a rozmiar pamięci zależy od ciebie. Oszczędność to więc słaby argument za EWC; lepszym jest zakaz przechowywania przykładów.
#
# Co z tego wynika dla robota: zamroź, co się da; zachowaj przykłady, jeśli wolno; średnie, jeśli nie wolno; sprężyny tam, gdzie wagi muszą się zmieniać, a żaden przykład nie może zostać.
#
# ## Ćwiczenia
#
# **1. Zapominanie.** `accuracy` to tensor kształtu $(T, T)$: wiersz $i$ to chwila po zadaniu $i$, kolumna $j$ to zadanie. Zwróć FGT, zapominanie, według wzoru z lekcji, jako tensor z jedną liczbą. Nie używaj funkcji z pakietu.

# %% tags=["exercise"]
def how_much_forgotten(accuracy):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# `accuracy[:-1, :-1]` has all rows before the last, and all tasks but the last. Of that, `.max(0).values` is the best of each task.
# %% [markdown] lang="pl" tags=["hint"]
# `accuracy[:-1, :-1]` to wszystkie wiersze przed ostatnim i wszystkie zadania poza ostatnim. `.max(0).values` daje z tego najlepszy wynik każdego zadania.

# %% tags=["check"]
check("forgetting", how_much_forgotten)


# %% tags=["solution"]
def how_much_forgotten(accuracy):
    best = accuracy[:-1, :-1].max(0).values
    return (best - accuracy[-1, :-1]).mean()


# %% [markdown] lang="en"
# **2. The Fisher information of a logistic regression.** `w` has shape $(D,)$, `x` shape $(N, D)$, `y` shape $(N,)$ with entries 0 and 1. The model says $p = \sigma(w \cdot x)$ for $y = 1$; $\sigma$ is the sigmoid. The gradient of $-\log p_w(y \mid x)$ with respect to $w$, for one example, is $(p - y)\, x$. Return the diagonal of the *empirical* Fisher, a mean over the examples, of shape $(D,)$.
# %% [markdown] lang="pl"
# **2. Informacja Fishera regresji logistycznej.** `w` ma kształt $(D,)$, `x` kształt $(N, D)$, a `y` kształt $(N,)$, z elementami 0 i 1. Model daje $p = \sigma(w \cdot x)$ dla $y = 1$; $\sigma$ to sigmoida. Gradient $-\log p_w(y \mid x)$ względem $w$ dla jednego przykładu to $(p - y)\, x$. Zwróć przekątną *empirycznej* informacji Fishera, średnią po przykładach, o kształcie $(D,)$.

# %% tags=["exercise"]
def empirical_fisher(w, x, y):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# `(torch.sigmoid(x @ w) - y)[:, None] * x` has a gradient in each row. Which comes first, the square or the mean?
# %% [markdown] lang="pl" tags=["hint"]
# `(torch.sigmoid(x @ w) - y)[:, None] * x` ma w każdym wierszu jeden gradient. Co najpierw, kwadrat czy średnia?

# %% tags=["check"]
check("fisher", empirical_fisher)


# %% tags=["solution"]
def empirical_fisher(w, x, y):
    gradients = (torch.sigmoid(x @ w) - y)[:, None] * x
    return gradients.square().mean(0)


# %% [markdown] lang="en"
# **3. The reservoir.** `items` is a list, `capacity` the size $K$ of the memory, `draws` a list of random numbers $u_n$ from 0 (included) to 1 (excluded), one for each item. Return the memory, a list, at the end of the stream. The first $K$ items go in, in order; after that the $n$-th item ($n$ counts from 1) draws the place $\lfloor u_n \cdot n \rfloor$, and takes it if the memory has such a place, counted from 0. (The first $K$ draws are not used.)
# %% [markdown] lang="pl"
# **3. Rezerwuar.** `items` to lista, `capacity` to pojemność pamięci $K$, a `draws` to lista liczb losowych $u_n$ od 0 (włącznie) do 1 (wyłącznie), po jednej na element. Zwróć pamięć, czyli listę, na końcu strumienia. Pierwsze $K$ elementów wchodzi po kolei; potem $n$-ty element ($n$ liczymy od 1) losuje miejsce $\lfloor u_n \cdot n \rfloor$ i zajmuje je, jeśli pamięć ma takie miejsce, licząc od 0. (Pierwsze $K$ liczb losowych jest niewykorzystane.)

# %% tags=["exercise"]
def reservoir(items, capacity, draws):
    return ...


# %% [markdown] lang="en" tags=["hint"]
# `for n, (item, u) in enumerate(zip(items, draws), 1):` and in it two cases: there is room, or `int(u * n)` is a place in the memory.
# %% [markdown] lang="pl" tags=["hint"]
# `for n, (item, u) in enumerate(zip(items, draws), 1):`, a w środku dwa przypadki: jest miejsce albo `int(u * n)` jest miejscem w pamięci.

# %% tags=["check"]
check("reservoir", reservoir)


# %% tags=["solution"]
def reservoir(items, capacity, draws):
    memory = []
    for n, (item, u) in enumerate(zip(items, draws), 1):
        if n <= capacity:
            memory.append(item)
        elif (place := int(u * n)) < capacity:
            memory[place] = item
    return memory


# %% [markdown] lang="en"
# ## Quiz
# %% [markdown] lang="pl"
# ## Quiz

# %% tags=["quiz"]
quiz(
    Quiz(
        t("The Fisher information of a weight is 0 after task A. What does EWC do with it?", "Informacja Fishera pewnej wagi po zadaniu A wynosi 0. Co EWC z nią zrobi?"),
        [
            (t("It keeps the weight where it is.", "Zostawi ją tam, gdzie jest."), False,
             t("The other way round: its spring has no stiffness.", "Odwrotnie: jej sprężyna nie ma sztywności.")),
            (t("It sets the weight to 0.", "Ustawi ją na 0."), False,
             t("EWC pulls towards the old value, not towards 0, and this weight not at all.", "EWC ciągnie do dawnej wartości, a nie do 0, a tej wagi wcale nie ciągnie.")),
            (t("Task B may move it freely.", "Zadanie B może ją swobodnie przesuwać."), True,
             t("Yes: to second order the answers on A do not depend on it.", "Tak: z dokładnością do drugiego rzędu odpowiedzi w A od niej nie zależą.")),
        ],
    ),
    Quiz(
        t("A library squares the gradient of the mean loss over batches of 64. With the $\\lambda$ of a paper its EWC protects nothing. Why?",
          "Biblioteka podnosi do kwadratu gradient średniej straty z paczek po 64. Z $\\lambda$ z artykułu jej EWC niczego nie chroni. Dlaczego?"),
        [
            (t("At a minimum its importances are about 64 times too small.", "W minimum jej ważności są około 64 razy za małe."), True,
             t("Yes: in the mean the gradients of the examples cancel, and $1/B$ of their mean square is left.", "Tak: w średniej gradienty przykładów się znoszą i zostaje $1/B$ ich średniego kwadratu.")),
            (t("64 examples are too few for a mean.", "64 przykłady to za mało na średnią."), False,
             t("Larger batches make it worse: the factor is the batch size.", "Większa paczka pogarsza sprawę: czynnikiem jest jej rozmiar.")),
            (t("It should draw the labels from the model.", "Powinna losować etykiety z modelu."), False,
             t("That is another difference; it does not explain a factor of 64.", "To inna różnica; nie wyjaśnia czynnika 64.")),
        ],
    ),
    Quiz(
        t("In the stream *which of ten* EWC kept almost nothing of the old digits, whatever $\\lambda$ we chose. What was the reason?",
          "W strumieniu *która z dziesięciu* EWC nie zachowało prawie nic z dawnych cyfr, jakiekolwiek $\\lambda$ braliśmy. Jaki był powód?"),
        [
            (t("The springs pulled the weights towards 0.", "Sprężyny ciągnęły wagi do 0."), False,
             t("They pull towards the old weights $\\theta^*$, not towards 0.", "Ciągną do dawnych wag $\\theta^*$, a nie do 0.")),
            (t("The labels were drawn from the model instead of taken from the data.", "Etykiety losowano z modelu, zamiast wziąć je z danych."), False,
             t("With the true labels it would be worse: where the network is certain they give about $(1-p)^2$, labels from the model on average $p(1-p)$.", "Z prawdziwymi etykietami byłoby gorzej: gdy sieć jest pewna, dają około $(1-p)^2$, a etykiety z modelu średnio $p(1-p)$.")),
            (t("Where the network is certain $F$ is almost 0, and no batch shows how to tell an old class from a new one.", "Gdzie sieć jest pewna, $F$ jest prawie zerem, a żadna paczka nie pokazuje, jak odróżnić dawną klasę od nowej."), True,
             t("Yes: the parabola at $\\theta^*$ does not see the cliff further out, and stiffer springs do not teach what is in no batch.", "Tak: parabola w $\\theta^*$ nie widzi urwiska, które stoi dalej, a sztywniejsze sprężyny nie nauczą tego, czego nie ma w żadnej paczce.")),
        ],
    ),
    Quiz(
        t("A method reports a forgetting of 0.00. What do you ask next?", "Pewna metoda ma zapominanie 0,00. O co zapytasz najpierw?"),
        [
            (t("Nothing: it cannot do better.", "O nic: lepiej się nie da."), False,
             t("A network that does not change at all has that, too.", "Tyle samo ma sieć, która w ogóle się nie zmienia.")),
            (t("What is its average accuracy, and that of the newest task?", "Jaka jest jej średnia dokładność i jaka w najnowszym zadaniu?"), True,
             t("Yes: memory may have been paid for with plasticity.", "Tak: pamięć mogła zostać opłacona plastycznością.")),
            (t("How many epochs was it trained?", "Ile epok trwał trening?"), False,
             t("That matters less: first ask whether it has learned the new tasks at all.", "To mniej ważne: najpierw zapytaj, czy w ogóle nauczyła się nowych zadań.")),
        ],
    ),
)

# %% [markdown] lang="en"
# ## What we saw
#
# - In the matrix $R$ a row is a time and a column a task; ACC says what is left, BWT and FGT what was lost. Naive training did not fade but overwrite: on some digits it ended below chance.
# - EWC is Bayes' rule with three approximations: a parabola, the Fisher information in place of the Hessian, only the diagonal. In a valley turned by 45 degrees it is no better than equal springs; where the network is certain, its springs are slack.
# - The Fisher information takes the square before the mean. The other way round it is smaller by the size of the batch.
# - Replay of a few examples was far ahead on *even or odd*, and the only help on *which of ten*. On permuted digits EWC stood level with it: it more than halved the forgetting, and paid with some plasticity. LwF helped where the task is given, hardly on the other split streams, and on *permuted* not at all.
# - EWC costs two numbers per weight, LwF a copy, replay the examples. On frozen features, prototypes cost one mean per class.
#
# The numbers of this run and of the recorded ones have to bear this out:
# %% [markdown] lang="pl"
# ## Podsumowanie
#
# - W macierzy $R$ wiersz to chwila, a kolumna to zadanie; ACC mówi, co zostało, BWT i FGT, co przepadło. Trening naiwny nie zacierał, tylko nadpisywał: na niektórych cyfrach skończył poniżej zgadywania.
# - EWC to wzór Bayesa z trzema przybliżeniami: parabola, informacja Fishera zamiast hesjanu, sama przekątna. W dolinie obróconej o 45 stopni nie jest lepsze niż jednakowe sprężyny; gdzie sieć jest pewna, tam jego sprężyny są luźne.
# - W informacji Fishera najpierw jest kwadrat, potem średnia. W odwrotnej kolejności wychodzi mniejsza tyle razy, ile przykładów ma paczka.
# - Powtarzanie kilku przykładów było daleko z przodu w strumieniu *parzysta czy nie*, a w strumieniu *która z dziesięciu* pomogło jako jedyne. Na permutacjach EWC mu dorównało: zmniejszyło zapominanie o ponad połowę i zapłaciło częścią plastyczności. LwF pomagało, gdy zadanie jest znane, w pozostałych strumieniach podzielonych prawie nie, a na permutacjach wcale.
# - EWC kosztuje dwie liczby na wagę, LwF kopię sieci, powtarzanie przykłady. Na zamrożonych cechach prototypy kosztują jedną średnią na klasę.
#
# Liczby z tego uruchomienia i z zapisanych przebiegów muszą to potwierdzać:

# %% tags=["claim"]
made, goods = ({method: sums[place] for method, sums in inspected.items()} for place in (0, 1))
pairs = live["domain"]["naive"][:, -1].mean(0)
claim(t("Even or odd: forgetting of naive training", "Parzysta czy nie: zapominanie w treningu naiwnym"), said["domain"]["naive"][1], at_least=0.2)
claim(t("The same: its accuracy on 0 and 1 at the end", "To samo: jego dokładność dla 0 i 1 na końcu"), pairs[0], at_most=0.5)
claim(t("The same: its accuracy on 4 and 5 at the end", "To samo: jego dokładność dla 4 i 5 na końcu"), pairs[2], at_most=0.5)
claim(t("The same: its accuracy on 6 and 7 at the end", "To samo: jego dokładność dla 6 i 7 na końcu"), pairs[3], at_least=0.8)
claim(t("The same: what EWC adds to the average accuracy", "To samo: ile EWC dodaje do średniej dokładności"), even["ewc"] - even["naive"], at_least=0.03)
claim(t("The same: what replay adds to that of EWC", "To samo: ile powtarzanie dodaje do dokładności EWC"), even["replay"] - even["ewc"], at_least=0.02)
claim(t("The same: share of the gap to joint training that EWC closes", "To samo: jaką część straty do treningu łącznego odrabia EWC"), closed(even, "ewc"), at_least=0.25)
claim(t("The same: share of it that replay closes", "To samo: jaką jej część odrabia powtarzanie"), closed(even, "replay"), at_least=0.6)
claim(t("Which of ten: average accuracy of naive training", "Która z dziesięciu: średnia dokładność treningu naiwnego"), ten["naive"], at_most=0.25)
claim(t("The same: what LwF adds to it", "To samo: ile dodaje do niej LwF"), ten["lwf"] - ten["naive"], at_most=0.1)
claim(t("The same: share of the gap to joint training that EWC closes", "To samo: jaką część straty do treningu łącznego odrabia EWC"), gain, at_most=0.3)
claim(t("The same: what replay adds", "To samo: ile dodaje powtarzanie"), ten["replay"] - ten["naive"], at_least=0.3)
claim(t("The same: accuracy on 0 and 1 with the springs of one epoch", "To samo: dokładność dla 0 i 1 ze sprężynami po jednej epoce"), certainty[0][3], at_most=0.2)
claim(t("Sum of F after 10 epochs on 0 and 1, as a share of that after one", "Suma F po 10 epokach na 0 i 1 jako część sumy po jednej"), certainty[-1][2] / certainty[0][2], at_most=0.3)
claim(t("Boards, product by product: forgetting of naive training", "Płytki, produkt po produkcie: zapominanie w treningu naiwnym"), made["naive"][1], at_most=0.15)
claim(t("The same: by how much EWC changes the average accuracy, up or down", "To samo: o ile EWC zmienia średnią dokładność, w górę albo w dół"), abs(made["ewc"][0] - made["naive"][0]), at_most=0.1)
claim(t("Boards, defect by defect: forgetting of naive training", "Płytki, wada po wadzie: zapominanie w treningu naiwnym"), goods["naive"][1], at_least=0.4)
claim(t("The same: what EWC adds to the average accuracy", "To samo: ile EWC dodaje do średniej dokładności"), goods["ewc"][0] - goods["naive"][0], at_least=0.05)
claim(t("The same: what LwF adds to it", "To samo: ile dodaje do niej LwF"), goods["lwf"][0] - goods["naive"][0], at_most=0.1)
claim(t("The same: lead of prototypes over EWC", "To samo: przewaga prototypów nad EWC"), average_accuracy(by_prototype) - goods["ewc"][0], at_least=-0.1)
claim(t("The same: lead of replay over EWC", "To samo: przewaga powtarzania nad EWC"), goods["replay"][0] - goods["ewc"][0], at_least=-0.02)

# %% tags=["claim"]
askew, mean = stiffness(math.pi / 4), {stream: {method: m[:, -1].mean().item() for method, m in runs.items()} for stream, runs in kept.items()}
at = {stream: dict(zip(values, curves[name])) for stream, name in streams.items()}
lost = {method: np.array([forgetting(matrix) for matrix in kept["permuted"][method]]) for method in ("naive", "ewc")}
claim(t("A valley at 45 degrees: largest difference between EWC's springs and equal ones", "Dolina pod kątem 45 stopni: największa różnica między sprężynami EWC a jednakowymi"), np.abs(askew["EWC"] - askew["L2"]).max(), at_most=1e-12)
claim(t("How many times too small the squared mean gradient of 64 examples is", "Ile razy za mały jest kwadrat średniego gradientu z 64 przykładów"), total / squares[64], at_least=20, unit="×")
claim(t("The same of 16 examples, as a share of 16", "To samo dla 16 przykładów, jako część liczby 16"), total / squares[16] / 16, at_least=0.75)
claim(t("The same of 256 examples, as a share of 256", "To samo dla 256 przykładów, jako część liczby 256"), total / squares[256] / 256, at_most=0.8)
claim(t("Which of two, recorded: what LwF adds to naive training", "Która z dwóch, zapisane: ile LwF dodaje do treningu naiwnego"), mean["task"]["lwf"] - mean["task"]["naive"], at_least=0.01)
claim(t("Even or odd, recorded: what λ = 1 adds", "Parzysta czy nie, zapisane: ile dodaje λ = 1"), at["domain"][1][-1].mean() - mean["domain"]["naive"], at_most=0.03)
claim(t("The same: share of the gap to joint training that λ = 10,000 closes", "To samo: jaką część straty do treningu łącznego odrabia λ = 10 000"), closed(mean["domain"] | {"ewc": at["domain"][10_000][-1].mean()}, "ewc"), at_least=0.4)
claim(t("The same: its share of wrong answers in the newest task", "To samo: jego udział błędnych odpowiedzi w najnowszym zadaniu"), 1 - at["domain"][10_000][-1, -1], at_least=0.25)
claim(t("Permuted, recorded: how many times EWC divides the mean forgetting", "Permutacje, zapisane: ile razy EWC zmniejsza średnie zapominanie"), lost["naive"].mean() / lost["ewc"].mean(), at_least=2, unit="×")
claim(t("The same in the worst of the seeds", "To samo dla najgorszego z ziaren"), (lost["naive"] / lost["ewc"]).min(), at_least=1.5, unit="×")
claim(t("The same: how far EWC is from replay in average accuracy", "To samo: jak daleko EWC jest od powtarzania w średniej dokładności"), abs(mean["permuted"]["ewc"] - mean["permuted"]["replay"]), at_most=0.02)
claim(t("The same: lead of online EWC over EWC", "To samo: przewaga EWC online nad EWC"), mean["permuted"]["online ewc"] - mean["permuted"]["ewc"], at_least=0)
claim(t("The same: what LwF adds to naive training", "To samo: ile LwF dodaje do treningu naiwnego"), mean["permuted"]["lwf"] - mean["permuted"]["naive"], at_most=0.01)
claim(t("The same: plasticity lost at λ = 1000", "To samo: plastyczność stracona przy λ = 1000"), (at["permuted"][0] - at["permuted"][1000]).diagonal().mean(), at_least=0.05)
claim(t("Which of ten, recorded: EWC with the best λ", "Która z dziesięciu, zapisane: EWC z najlepszym λ"), max(matrix[-1].mean() for matrix in at["class"].values()), at_most=0.45)
claim(t("The same: accuracy on the old digits at λ = 100,000", "To samo: dokładność dla dawnych cyfr przy λ = 100 000"), at["class"][100_000][-1, :-1].mean(), at_most=0.1)
claim(t("The same: on the newest two", "To samo: dla dwóch najnowszych"), at["class"][100_000][-1, -1], at_most=0.6)

# %% [markdown] lang="en"
# ## Where to go next
#
# - Kirkpatrick et al. 2017, *Overcoming catastrophic forgetting in neural networks*, [arXiv 1612.00796](https://arxiv.org/abs/1612.00796); Huszár's note on it, *On Quadratic Penalties in Elastic Weight Consolidation*, [arXiv 1712.03847](https://arxiv.org/abs/1712.03847)
# - Li and Hoiem 2016, *Learning without Forgetting*, [arXiv 1606.09282](https://arxiv.org/abs/1606.09282)
# - Chaudhry et al. 2019, *On Tiny Episodic Memories in Continual Learning*, [arXiv 1902.10486](https://arxiv.org/abs/1902.10486)
# - Lopez-Paz and Ranzato 2017, *Gradient Episodic Memory for Continual Learning*, [arXiv 1706.08840](https://arxiv.org/abs/1706.08840)
# - van de Ven and Tolias 2019, *Three scenarios for continual learning*, [arXiv 1904.07734](https://arxiv.org/abs/1904.07734)
# - Lesort et al. 2020, *Continual Learning for Robotics: Definition, Framework, Learning Strategies, Opportunities and Challenges*, [arXiv 1907.00182](https://arxiv.org/abs/1907.00182)
#
# [Lesson 13](13_growing_networks.ipynb) gives a network room without changing what it does, another way to learn more. [Lesson 15](15_multi_task_learning.ipynb) has all the tasks at once, and finds that they may still get in each other's way.
# %% [markdown] lang="pl"
# ## Co dalej
#
# - Kirkpatrick i in. 2017, *Overcoming catastrophic forgetting in neural networks*, [arXiv 1612.00796](https://arxiv.org/abs/1612.00796); uwaga Huszára do tej pracy, *On Quadratic Penalties in Elastic Weight Consolidation*, [arXiv 1712.03847](https://arxiv.org/abs/1712.03847)
# - Li i Hoiem 2016, *Learning without Forgetting*, [arXiv 1606.09282](https://arxiv.org/abs/1606.09282)
# - Chaudhry i in. 2019, *On Tiny Episodic Memories in Continual Learning*, [arXiv 1902.10486](https://arxiv.org/abs/1902.10486)
# - Lopez-Paz i Ranzato 2017, *Gradient Episodic Memory for Continual Learning*, [arXiv 1706.08840](https://arxiv.org/abs/1706.08840)
# - van de Ven i Tolias 2019, *Three scenarios for continual learning*, [arXiv 1904.07734](https://arxiv.org/abs/1904.07734)
# - Lesort i in. 2020, *Continual Learning for Robotics: Definition, Framework, Learning Strategies, Opportunities and Challenges*, [arXiv 1907.00182](https://arxiv.org/abs/1907.00182)
#
# [Lekcja 13](13_growing_networks.ipynb) daje sieci więcej miejsca, nie zmieniając tego, co robi: to inna droga, żeby umieć więcej. [Lekcja 15](15_multi_task_learning.ipynb) ma wszystkie zadania naraz i pokazuje, że i tak mogą sobie przeszkadzać.
